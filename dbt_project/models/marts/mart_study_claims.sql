{{ config(
    materialized='incremental', incremental_strategy='append', on_schema_change='fail',
    pre_hook="{{ forget_changed(ref('int_leaderboard_evidence')) }}", post_hook="{{ renew_evidence_through() }}"
) }}

with claims as (
    select * from {{ ref('study_claims') }}
),

population as (
    select * from {{ ref('int_study_models') }} as study_models
    where {{ is_missing('study_models') }}
),

models as (
    select
        *,
        score / nullif(emissions_kg, 0) as score_per_kg
    from population
    where score is not null and emissions_kg is not null and params_b is not null
),

pairs as (
    select * from {{ ref('int_study_pairs') }} as study_pairs
    where {{ is_missing('study_pairs') }}
),

evidence as (
    select * from {{ ref('int_leaderboard_evidence') }}
),

buckets as (
    select * from {{ ref('size_buckets') }}
),

student_t as (
    select * from {{ ref('student_t') }}
),

-- Every kind of evidence and state has a row for every claim.
grid as (
    select distinct
        basis,
        as_of
    from population
),

-- Claim a.
small as (
    select
        basis,
        as_of,
        count(*) as n_a,
        count(*) filter (where score >= 35 and emissions_kg < 5) as n_b,
        count(*) filter (where emissions_kg < 5) as n_low
    from models
    where params_b < 10 and provider != 'official'
    group by basis, as_of
),

claim_a as (
    select
        'a' as claim_id,
        basis,
        as_of,
        n_b / n_a as effect,
        {{ wilson_bound('n_b', 'n_a', '-') }} as effect_low,
        {{ wilson_bound('n_b', 'n_a', '+') }} as effect_high,
        n_a,
        n_b,
        case
            when n_a < 10 then 'cannot be told'
            when n_b > 0 and n_low >= 0.95 * n_a then 'holds'
            when n_b > 0 or n_low >= 0.95 * n_a then 'holds in direction'
            else 'not supported'
        end as verdict,
        case
            when n_a < 10 then n_a || ' models, at least 10 are needed'
            else format('{} of {} reach 35 points under 5 kg; {:.1f} % stay below 5 kg', n_b, n_a, 100 * n_low / n_a)
        end as reason
    from small
),

-- Claim b: ranks with ties at their mean.
ranked as (
    select
        model,
        basis,
        as_of,
        rank() over (partition by basis, as_of order by params_b)
        + (count(*) over (partition by basis, as_of, params_b) - 1) / 2 as size_rank,
        rank() over (partition by basis, as_of order by emissions_kg)
        + (count(*) over (partition by basis, as_of, emissions_kg) - 1) / 2 as emissions_rank,
        rank() over (partition by basis, as_of order by score)
        + (count(*) over (partition by basis, as_of, score) - 1) / 2 as score_rank
    from models
),

correlated as (
    select
        basis,
        as_of,
        count(*) as n,
        corr(size_rank, emissions_rank order by model) as size_emissions,
        corr(size_rank, score_rank order by model) as size_score,
        corr(emissions_rank, score_rank order by model) as emissions_score
    from ranked
    group by basis, as_of
),

classes as (
    select
        models.basis,
        models.as_of,
        buckets.bucket_order,
        median(models.emissions_kg) as emissions_kg,
        median(models.score) as score
    from models
    inner join buckets on models.bucket = buckets.bucket
    group by models.basis, models.as_of, buckets.bucket_order
    having count(*) >= 10
),

stepped as (
    select
        *,
        (lead(score) over by_size - score) / nullif(lead(emissions_kg) over by_size - emissions_kg, 0) as points_per_kg
    from classes
    window by_size as (partition by basis, as_of order by bucket_order)
),

steps as (
    select
        basis,
        as_of,
        count(*) as classes,
        list(points_per_kg order by bucket_order) filter (where points_per_kg is not null) as points_per_kg
    from stepped
    group by basis, as_of
),

spread_b as (
    select
        correlated.*,
        coalesce(steps.classes, 0) as classes,
        steps.points_per_kg,
        {{ z() }} * sqrt((1 + pow(correlated.size_emissions, 2) / 2) / nullif(correlated.n - 3, 0)) as spread,
        atanh(least(greatest(correlated.size_emissions, -0.999999), 0.999999)) as fisher
    from correlated
    left join steps on correlated.basis = steps.basis and correlated.as_of = steps.as_of
),

claim_b as (
    select
        'b' as claim_id,
        basis,
        as_of,
        case when classes >= 3 then size_emissions end as effect,
        case when classes >= 3 then tanh(fisher - spread) end as effect_low,
        case when classes >= 3 then tanh(fisher + spread) end as effect_high,
        n as n_a,
        classes as n_b,
        case
            when classes < 3 then 'cannot be told'
            when
                fisher - spread > 0
                and len(list_filter(range(1, len(points_per_kg)), i -> points_per_kg[i + 1] >= points_per_kg[i])) = 0
                then 'holds'
            when size_emissions > 0 and points_per_kg[-1] < points_per_kg[1] then 'holds in direction'
            when fisher + spread < 0 then 'reversed'
            else 'not supported'
        end as verdict,
        case
            when classes < 3 then classes || ' size classes with at least 10 models, 3 are needed'
            else
                format(
                    'Spearman size-CO2 {:.2f}, size-score {:.2f}, CO2-score {:.2f}; points per kg by class: ',
                    size_emissions, size_score, emissions_score
                ) || array_to_string(list_transform(points_per_kg, step -> format('{:.3g}', step)), ', ')
        end as reason
    from spread_b
),

-- Claim c.
sides as (
    select
        basis,
        as_of,
        bucket,
        median(score_per_kg) filter (where provider = 'community') as community,
        median(score_per_kg) filter (where provider = 'official') as official,
        list(score_per_kg) filter (where provider = 'community' and score_per_kg > 0) as community_values,
        list(score_per_kg) filter (where provider = 'official' and score_per_kg > 0) as official_values
    from models
    group by basis, as_of, bucket
),

class_ratios as (
    select
        basis,
        as_of,
        bucket,
        community / official as ratio,
        ln(community / official) as log_ratio,
        len(community_values) as n_community,
        len(official_values) as n_official,
        {{ log_median_variance('community_values') }} + {{ log_median_variance('official_values') }} as variance
    from sides
    where len(community_values) >= 6 and len(official_values) >= 6 and community > 0 and official > 0
),

pooled as (
    select
        class_ratios.basis,
        class_ratios.as_of,
        sum(class_ratios.log_ratio / class_ratios.variance order by class_ratios.bucket)
        / sum(1 / class_ratios.variance order by class_ratios.bucket) as log_ratio,
        sqrt(1 / sum(1 / class_ratios.variance order by class_ratios.bucket)) as log_error,
        min(class_ratios.ratio) as smallest,
        sum(class_ratios.n_community)::bigint as n_a,
        sum(class_ratios.n_official)::bigint as n_b,
        string_agg(format('{} {:.2f}', class_ratios.bucket, class_ratios.ratio), ', ' order by buckets.bucket_order)
            as by_class
    from class_ratios
    inner join buckets on class_ratios.bucket = buckets.bucket
    where class_ratios.variance > 0
    group by class_ratios.basis, class_ratios.as_of
),

claim_c as (
    select
        'c' as claim_id,
        basis,
        as_of,
        exp(log_ratio) as effect,
        exp(log_ratio - {{ z() }} * log_error) as effect_low,
        exp(log_ratio + {{ z() }} * log_error) as effect_high,
        n_a,
        n_b,
        case
            when log_ratio - {{ z() }} * log_error > 0 and smallest > 1 then 'holds'
            when log_ratio - {{ z() }} * log_error > 0 then 'holds in direction'
            when log_ratio + {{ z() }} * log_error < 0 then 'reversed'
            else 'not supported'
        end as verdict,
        'community over official by class: ' || by_class as reason
    from pooled
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
                            scoped.family || ': cannot be told (' || coalesce(scoped.ratio_reason, 'not known') || ')'
                        )
            end, '; '
            order by scoped.family, scoped.finetuned
        ) as each_pair
    from scoped
    group by scoped.claim_id, scoped.basis, scoped.as_of
),

-- The families that a pooled ratio is made of.
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

bounded as (
    select
        summed.*,
        family_texts.by_family,
        exp(summed.log_mean) as effect,
        case
            when summed.n_known >= 3
                then
                    coalesce(student_t.t_975, {{ t_975('(summed.n_known - 1)') }})
                    * summed.log_deviation
                    / sqrt(summed.n_known)
        end as spread
    from summed
    left join student_t on summed.n_known - 1 = student_t.degrees_of_freedom
    left join family_texts
        on
            summed.claim_id = family_texts.claim_id
            and summed.basis = family_texts.basis
            and summed.as_of = family_texts.as_of
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
            when n_known = 0 then 'cannot be told'
            when claim_id = 'd' and effect * exp(-spread) >= 0.8 and effect * exp(spread) <= 1.25 then 'holds'
            when claim_id = 'd' and effect between 0.8 and 1.25 then 'holds in direction'
            when claim_id = 'e' and smallest >= 1.5 then 'holds'
            when claim_id = 'e' and effect >= 1.2 then 'holds in direction'
            when claim_id = 'e' and effect < 0.8 then 'reversed'
            when claim_id in ('g', 'h') and log_mean + spread < 0 and coalesce(tokens_out_ratio, 0) < 1 then 'holds'
            when claim_id in ('g', 'h') and effect < 1 then 'holds in direction'
            when claim_id in ('g', 'h') and log_mean - spread > 0 then 'reversed'
            else 'not supported'
        end as verdict,
        concat_ws(
            '; ',
            each_pair,
            case when claim_id != 'e' then by_family end,
            case when n_known = 0 and claim_id != 'e' then 'no pair is known on both sides' end,
            case
                when
                    n_known > 0 and spread is null
                    then 'fewer than 3 pairs: no interval, the verdict rests on the ratio'
            end,
            case when claim_id in ('g', 'h') and basis != 'measured' then 'CO2 only: the table counts no tokens' end,
            case
                when
                    claim_id in ('g', 'h') and tokens_out_ratio is not null
                    then format('tokens out {:.2f} x', tokens_out_ratio)
            end
        ) as reason
    from bounded
    where claim_id != 'f'
),

-- Claim f: families are the units.
family_means as (
    select * from family_ratios
    where claim_id = 'f' and family is not null and n >= 3
),

over_families as (
    select
        basis,
        as_of,
        count(*) as families,
        sum(n)::bigint as n_pairs,
        avg(log_mean order by family) as log_mean,
        stddev_samp(log_mean order by family) as log_deviation,
        count(*) filter (where log_mean > 0) as n_above,
        string_agg(format('{} {:.2f} x ({})', family, exp(log_mean), n), ', ' order by family) as by_family
    from family_means
    group by basis, as_of
),

spread_f as (
    select
        over_families.*,
        case
            when
                over_families.families >= 3
                then
                    coalesce(student_t.t_975, {{ t_975('(over_families.families - 1)') }})
                    * over_families.log_deviation / sqrt(over_families.families)
        end as spread
    from over_families
    left join student_t on over_families.families - 1 = student_t.degrees_of_freedom
),

claim_f as (
    select
        'f' as claim_id,
        basis,
        as_of,
        case when spread is not null then exp(log_mean) end as effect,
        exp(log_mean - spread) as effect_low,
        exp(log_mean + spread) as effect_high,
        n_pairs as n_a,
        families as n_b,
        case
            when spread is null then 'cannot be told'
            when log_mean - spread <= 0 and log_mean + spread >= 0 and n_above between 1 and families - 1 then 'holds'
            when log_mean - spread <= 0 and log_mean + spread >= 0 then 'holds in direction'
            else 'not supported'
        end as verdict,
        by_family as reason
    from spread_f
),

answers as (
    select * from claim_a
    union all
    select * from claim_b
    union all
    select * from claim_c
    union all
    select * from claims_of_pairs
    union all
    select * from claim_f
),

-- What else differs between the sides.
multi_runs as (
    select
        basis,
        as_of,
        avg(is_multi_run::int) filter (where provider = 'official') as official_share,
        avg(is_multi_run::int) filter (where provider != 'official') as community_share
    from population
    group by basis, as_of
),

final as (
    select
        claims.claim_id,
        grid.basis,
        grid.as_of,
        claims.statement,
        claims.definition,
        claims.rule,
        answers.effect,
        answers.effect_low,
        answers.effect_high,
        coalesce(answers.n_a, 0) as n_a,
        coalesce(answers.n_b, 0) as n_b,
        coalesce(answers.verdict, 'cannot be told') as verdict,
        coalesce(
            answers.reason,
            case
                when grid.basis = 'measured' then 'nothing metered here is of this kind, in one comparability key'
                else 'no such rows are in the table'
            end
        ) as reason,
        nullif(concat_ws(
            '; ',
            case
                when grid.basis = 'leaderboard_published'
                    then
                        format(
                            'CO2 sums evaluations: {:.0f} % of official and {:.0f} % of community rows hold several',
                            100 * coalesce(multi_runs.official_share, 0), 100 * coalesce(multi_runs.community_share, 0)
                        )
            end,
            case
                when bounded.n_template_differs > 0
                    then
                        format(
                            'the chat template differs in {} of {} pairs', bounded.n_template_differs, bounded.n_pairs
                        )
            end,
            case
                when bounded.n_months_apart > 0
                    then
                        format(
                            'submitted more than a month apart, when hardware drifted: {} of {} pairs',
                            bounded.n_months_apart, bounded.n_pairs
                        )
            end,
            case
                when bounded.n_unknown > 0
                    then format('the emissions of {} of {} pairs are not known', bounded.n_unknown, bounded.n_pairs)
            end
        ), '') as confounders,
        coalesce(evidence.evidence_through, grid.as_of) as evidence_through,
        evidence.evidence_hash
    from grid
    cross join claims
    left join evidence on grid.basis = evidence.basis and grid.as_of = evidence.as_of
    left join answers
        on
            claims.claim_id = answers.claim_id
            and grid.basis = answers.basis
            and grid.as_of = answers.as_of
    left join bounded
        on
            claims.claim_id = bounded.claim_id
            and grid.basis = bounded.basis
            and grid.as_of = bounded.as_of
    left join multi_runs on grid.basis = multi_runs.basis and grid.as_of = multi_runs.as_of
)

select * from final
