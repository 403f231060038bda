with models as (
    select
        *,
        score / nullif(emissions_kg, 0) as score_per_kg
    from {{ ref('int_study_models') }}
    where score is not null and emissions_kg is not null and params_b is not null
),

buckets as (
    select * from {{ ref('size_buckets') }}
),

claims as (
    select * from {{ ref('study_claims') }}
),

-- Claim a.
small as (
    select
        claims.claim_id,
        models.basis,
        models.as_of,
        models.params_trusted_b < claims.params_below_b as is_credible,
        models.emissions_kg < claims.emissions_below_kg as is_low,
        models.score >= claims.least_score and models.emissions_kg < claims.emissions_below_kg as is_strong
    from models
    inner join claims on models.params_b < claims.params_below_b
    where claims.claim_id = 'a' and models.provider != 'official'
),

counted as (
    select
        claim_id,
        basis,
        as_of,
        count(*) as n_a,
        count(*) filter (where is_strong) as n_b,
        count(*) filter (where is_low) as n_low,
        count(*) filter (where is_credible) as n_credible_a,
        count(*) filter (where is_credible and is_strong) as n_credible_b
    from small
    group by claim_id, basis, as_of
),

limited_a as (
    select
        counted.*,
        claims.params_below_b,
        claims.least_score,
        claims.emissions_below_kg,
        claims.least_share,
        claims.least_n,
        case when counted.n_a < claims.least_n then 'too_few_models' end as reason_code
    from counted
    inner join claims on counted.claim_id = claims.claim_id
),

claim_a as (
    select
        claim_id,
        basis,
        as_of,
        n_b / n_a as effect,
        {{ wilson_bound('n_b', 'n_a', '-') }} as effect_low,
        {{ wilson_bound('n_b', 'n_a', '+') }} as effect_high,
        n_a,
        n_b,
        case
            when reason_code = 'too_few_models' then 'undetermined'
            when n_b > 0 and n_low >= least_share * n_a then 'holds'
            when n_b > 0 or n_low >= least_share * n_a then 'holds_in_direction'
            else 'not_supported'
        end as verdict_code,
        reason_code,
        case
            when reason_code = 'too_few_models'
                then
                    format(
                        'community models below {:g} B with known emissions and score: {}; at least {} are needed',
                        params_below_b, n_a, least_n
                    )
            else
                format(
                    '{:,} of {:,} reach {:g} points under {:g} kg ({:,} of {:,} by credible sizes); '
                    '{:.1f} % stay below {:g} kg',
                    n_b, n_a, least_score, emissions_below_kg, n_credible_b, n_credible_a, 100 * n_low / n_a,
                    emissions_below_kg
                )
        end as reason
    from limited_a
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
    inner join claims on claims.claim_id = 'b'
    group by models.basis, models.as_of, buckets.bucket_order, claims.least_n
    having count(*) >= claims.least_n
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

limited_b as (
    select
        correlated.*,
        claims.claim_id,
        claims.least_n,
        claims.least_groups,
        coalesce(steps.classes, 0) as classes,
        case when coalesce(steps.classes, 0) < claims.least_groups then 'too_few_classes' end as reason_code,
        steps.points_per_kg,
        {{ z() }} * sqrt((1 + pow(correlated.size_emissions, 2) / 2) / nullif(correlated.n - 3, 0)) as spread,
        atanh(least(greatest(correlated.size_emissions, -0.999999), 0.999999)) as fisher
    from correlated
    inner join claims on claims.claim_id = 'b'
    left join steps on correlated.basis = steps.basis and correlated.as_of = steps.as_of
),

claim_b as (
    select
        claim_id,
        basis,
        as_of,
        case when reason_code is null then size_emissions end as effect,
        case when reason_code is null then tanh(fisher - spread) end as effect_low,
        case when reason_code is null then tanh(fisher + spread) end as effect_high,
        n as n_a,
        classes as n_b,
        case
            when reason_code = 'too_few_classes' then 'undetermined'
            when
                fisher - spread > 0
                and len(list_filter(range(1, len(points_per_kg)), i -> points_per_kg[i + 1] >= points_per_kg[i])) = 0
                then 'holds'
            when size_emissions > 0 and points_per_kg[-1] < points_per_kg[1] then 'holds_in_direction'
            when fisher + spread < 0 then 'reversed'
            else 'not_supported'
        end as verdict_code,
        reason_code,
        case
            when reason_code = 'too_few_classes'
                then
                    format('size classes with at least {} models: {}; {} are needed', least_n, classes, least_groups)
            else
                format(
                    'Spearman size-CO2 {:.2f}, size-score {:.2f}, CO2-score {:.2f}; points per kg by class: ',
                    size_emissions, size_score, emissions_score
                ) || array_to_string(list_transform(points_per_kg, step -> format('{:.3g}', step)), ', ')
        end as reason
    from limited_b
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
    inner join claims on claims.claim_id = 'c'
    where
        len(community_values) >= claims.least_n and len(official_values) >= claims.least_n
        and community > 0 and official > 0
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

grid as (
    select distinct
        basis,
        as_of
    from models
),

limited_c as (
    select
        grid.basis,
        grid.as_of,
        pooled.log_ratio,
        pooled.log_error,
        pooled.smallest,
        pooled.n_a,
        pooled.n_b,
        pooled.by_class,
        claims.claim_id,
        claims.least_n,
        case when pooled.by_class is null then 'no_class_with_both_sides' end as reason_code
    from grid
    inner join claims on claims.claim_id = 'c'
    left join pooled on grid.basis = pooled.basis and grid.as_of = pooled.as_of
),

claim_c as (
    select
        claim_id,
        basis,
        as_of,
        exp(log_ratio) as effect,
        exp(log_ratio - {{ z() }} * log_error) as effect_low,
        exp(log_ratio + {{ z() }} * log_error) as effect_high,
        coalesce(n_a, 0) as n_a,
        coalesce(n_b, 0) as n_b,
        case
            when reason_code = 'no_class_with_both_sides' then 'undetermined'
            when log_ratio - {{ z() }} * log_error > 0 and smallest > 1 then 'holds'
            when log_ratio - {{ z() }} * log_error > 0 then 'holds_in_direction'
            when log_ratio + {{ z() }} * log_error < 0 then 'reversed'
            else 'not_supported'
        end as verdict_code,
        reason_code,
        case
            when reason_code = 'no_class_with_both_sides' then format('no size class has {} models per side', least_n)
            else 'community over official by class: ' || by_class
        end as reason
    from limited_c
),

final as (
    select * from claim_a
    union all
    select * from claim_b
    union all
    select * from claim_c
)

select * from final
