with claims as (
    select * from {{ ref('study_claims') }}
),

pairs as (
    select * from {{ ref('int_study_pairs') }}
),

student_t as (
    select * from {{ ref('student_t') }}
),

-- Claims d, e, g and h: pairs of a family, a size or both.
scoped as (
    select
        claims.claim_id,
        pairs.*
    from pairs
    inner join claims
        on
            (claims.size_class is null or pairs.size_class = claims.size_class)
            and (claims.families is null or list_contains(string_split(claims.families, '|'), pairs.family))
    where
        claims.claim_id in ('e', 'f', 'g', 'h') and (claims.claim_id != 'e' or pairs.is_official_release)
        or (claims.claim_id = 'd' and pairs.provider != 'official')
),

summed as (
    select
        scoped.claim_id,
        scoped.basis,
        scoped.as_of,
        count(*) as n_pairs,
        count(scoped.ratio) as n_known,
        count(distinct scoped.base) filter (where scoped.ratio is not null) as n_bases,
        avg(ln(scoped.ratio) order by scoped.finetuned) as log_mean,
        stddev_samp(ln(scoped.ratio) order by scoped.finetuned) as log_deviation,
        min(scoped.ratio) as smallest,
        exp(avg(ln(scoped.tokens_out_ratio) order by scoped.finetuned)) as tokens_out_ratio,
        count(*) filter (where scoped.is_chat_template_different) as n_template_differs,
        count(*) filter (where scoped.months_apart > 1) as n_months_apart,
        count(*) filter (where scoped.ratio is null) as n_unknown,
        string_agg(
            case
                when scoped.claim_id = 'e'
                    then
                        coalesce(
                            format('{}: {:.2f} x', scoped.family, scoped.ratio),
                            scoped.family || ': undetermined (' || coalesce(scoped.ratio_reason, 'not known') || ')'
                        )
            end, '; '
            order by scoped.family, scoped.finetuned
        ) as each_pair
    from scoped
    group by scoped.claim_id, scoped.basis, scoped.as_of
),

-- The families that contribute to a pooled ratio.
family_ratios as (
    select
        claim_id,
        basis,
        as_of,
        family,
        count(*) as n,
        avg(ln(ratio) order by finetuned) as log_mean
    from scoped
    where ratio is not null
    group by claim_id, basis, as_of, family
),

family_texts as (
    select
        claim_id,
        basis,
        as_of,
        string_agg(
            format('{} {:.2f} x ({})', coalesce(family, 'other'), exp(log_mean), n), ', '
            order by family
        ) as by_family
    from family_ratios
    group by claim_id, basis, as_of
),

limited as (
    select
        summed.*,
        claims.least_n,
        claims.holds_from,
        claims.holds_to,
        claims.direction_from,
        claims.reversed_below,
        family_texts.by_family,
        exp(summed.log_mean) as effect,
        case
            when summed.n_known = 0 then 'no_pair_known'
            when summed.n_known < claims.least_n then 'too_few_pairs'
        end as reason_code,
        case
            when summed.n_known >= claims.least_n
                then
                    coalesce(student_t.t_975, {{ t_975('(summed.n_known - 1)') }})
                    * summed.log_deviation
                    / sqrt(summed.n_known)
        end as spread
    from summed
    inner join claims on summed.claim_id = claims.claim_id
    left join student_t on summed.n_known - 1 = student_t.degrees_of_freedom
    left join family_texts
        on
            summed.claim_id = family_texts.claim_id
            and summed.basis = family_texts.basis
            and summed.as_of = family_texts.as_of
    where summed.claim_id != 'f'
),

claims_of_pairs as (
    select
        claim_id,
        basis,
        as_of,
        effect,
        effect * exp(-spread) as effect_low,
        effect * exp(spread) as effect_high,
        n_known as n_a,
        case when claim_id = 'e' then n_pairs else n_bases end as n_b,
        case
            when reason_code = 'no_pair_known' then 'undetermined'
            when
                claim_id = 'd' and effect * exp(-spread) >= holds_from and effect * exp(spread) <= holds_to
                then 'holds'
            when claim_id = 'd' and effect between holds_from and holds_to then 'holds_in_direction'
            when claim_id = 'e' and smallest >= holds_from then 'holds'
            when claim_id = 'e' and effect >= direction_from then 'holds_in_direction'
            when claim_id = 'e' and effect < reversed_below then 'reversed'
            when claim_id in ('g', 'h') and log_mean + spread < 0 and coalesce(tokens_out_ratio, 0) < 1 then 'holds'
            when claim_id in ('g', 'h') and effect < 1 then 'holds_in_direction'
            when claim_id in ('g', 'h') and log_mean - spread > 0 then 'reversed'
            else 'not_supported'
        end as verdict_code,
        reason_code,
        concat_ws(
            '; ',
            each_pair,
            case when claim_id != 'e' then by_family end,
            case when reason_code = 'no_pair_known' and claim_id != 'e' then 'no pair is known on both sides' end,
            case
                when reason_code = 'too_few_pairs'
                    then format('fewer than {} pairs: no interval, the verdict rests on the ratio', least_n)
            end,
            case when claim_id in ('g', 'h') and basis != 'measured' then 'CO2 only: the table counts no tokens' end,
            case
                when
                    claim_id in ('g', 'h') and tokens_out_ratio is not null
                    then format('tokens out {:.2f} x', tokens_out_ratio)
            end
        ) as reason,
        n_pairs,
        n_template_differs,
        n_months_apart,
        n_unknown
    from limited
),

-- Claim f: families are the units.
family_means as (
    select family_ratios.*
    from family_ratios
    inner join claims on family_ratios.claim_id = claims.claim_id
    where claims.claim_id = 'f' and family_ratios.family is not null and family_ratios.n >= claims.least_n
),

over_families as (
    select
        basis,
        as_of,
        count(*) as families,
        sum(n)::bigint as n_known,
        avg(log_mean order by family) as log_mean,
        stddev_samp(log_mean order by family) as log_deviation,
        count(*) filter (where log_mean > 0) as n_above,
        string_agg(format('{} {:.2f} x ({})', family, exp(log_mean), n), ', ' order by family) as by_family
    from family_means
    group by basis, as_of
),

-- The claim has a row even if no family has enough pairs.
limited_f as (
    select
        summed.claim_id,
        summed.basis,
        summed.as_of,
        summed.n_pairs,
        summed.n_template_differs,
        summed.n_months_apart,
        summed.n_unknown,
        over_families.families,
        over_families.n_known,
        over_families.log_mean,
        over_families.n_above,
        over_families.by_family,
        claims.least_n,
        case when coalesce(over_families.families, 0) < claims.least_groups then 'too_few_families' end as reason_code,
        case
            when over_families.families >= claims.least_groups
                then
                    coalesce(student_t.t_975, {{ t_975('(over_families.families - 1)') }})
                    * over_families.log_deviation / sqrt(over_families.families)
        end as spread
    from summed
    inner join claims on summed.claim_id = claims.claim_id
    left join over_families on summed.basis = over_families.basis and summed.as_of = over_families.as_of
    left join student_t on over_families.families - 1 = student_t.degrees_of_freedom
    where summed.claim_id = 'f'
),

claim_f as (
    select
        claim_id,
        basis,
        as_of,
        case when reason_code is null then exp(log_mean) end as effect,
        exp(log_mean - spread) as effect_low,
        exp(log_mean + spread) as effect_high,
        coalesce(n_known, 0) as n_a,
        coalesce(families, 0) as n_b,
        case
            when reason_code = 'too_few_families' then 'undetermined'
            when log_mean - spread <= 0 and log_mean + spread >= 0 and n_above between 1 and families - 1 then 'holds'
            when log_mean - spread <= 0 and log_mean + spread >= 0 then 'holds_in_direction'
            else 'not_supported'
        end as verdict_code,
        reason_code,
        coalesce(by_family, format('{} pairs, but no family has {} with a known ratio', n_pairs, least_n))
            as reason,
        n_pairs,
        n_template_differs,
        n_months_apart,
        n_unknown
    from limited_f
),

final as (
    select * from claims_of_pairs
    union all
    select * from claim_f
)

select * from final
