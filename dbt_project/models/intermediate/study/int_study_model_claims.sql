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

-- Claim a.
small as (
    select
        basis,
        as_of,
        count(*) as n_a,
        count(*) filter (where score >= 35 and emissions_kg < 5) as n_b,
        count(*) filter (where emissions_kg < 5) as n_low,
        count(*) filter (where params_trusted_b < 10) as n_credible_a,
        count(*) filter (where params_trusted_b < 10 and score >= 35 and emissions_kg < 5) as n_credible_b
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
            when n_a < 10
                then
                    'community models below 10 B with known emissions and score: ' || n_a || ', at least 10 are needed'
            else
                format(
                    '{:,} of {:,} reach 35 points under 5 kg ({:,} of {:,} by credible sizes); '
                    '{:.1f} % stay below 5 kg',
                    n_b, n_a, n_credible_b, n_credible_a, 100 * n_low / n_a
                )
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
            when classes < 3 then 'size classes with at least 10 models: ' || classes || ', 3 are needed'
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

final as (
    select * from claim_a
    union all
    select * from claim_b
    union all
    select * from claim_c
)

select * from final
