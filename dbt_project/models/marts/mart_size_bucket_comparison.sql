with models as (
    select * from {{ ref('mart_model_efficiency') }}
    where is_current and basis = 'measured'
),

stated as (
    select
        model_key,
        params_stated_b
    from {{ ref('dim_models') }}
),

buckets as (
    select * from {{ ref('size_buckets') }}
),

sized as (
    select
        models.*,
        'counted' as params_source,
        models.params_b as params_total_b
    from models
    union all
    select
        models.*,
        'stated' as params_source,
        stated.params_stated_b as params_total_b
    from models
    inner join stated on models.model_key = stated.model_key
),

-- Every class of every comparison has a row, even if nothing was measured.
grid as (
    select
        comparisons.*,
        buckets.bucket_order,
        buckets.bucket,
        buckets.params_from_b,
        coalesce(buckets.params_below_b, 'infinity') as params_below_b
    from (
        select
            comparability_key,
            comparability_hash,
            suite,
            basis,
            params_source,
            max(as_of) as as_of
        from sized
        group by comparability_key, comparability_hash, suite, basis, params_source
    ) as comparisons
    cross join buckets
),

summed as (
    select
        grid.bucket_order,
        grid.bucket,
        grid.params_source,
        grid.comparability_key,
        grid.comparability_hash,
        grid.suite,
        grid.basis,
        grid.as_of,
        count(sized.model_key) as n,
        avg(sized.emissions_kg order by sized.model_key) as emissions_kg_mean,
        median(sized.emissions_kg) as emissions_kg_median,
        quantile_cont(sized.emissions_kg, 0.25) as emissions_kg_p25,
        quantile_cont(sized.emissions_kg, 0.75) as emissions_kg_p75,
        quantile_cont(sized.emissions_kg, 0.95) as emissions_kg_p95,
        avg(sized.score order by sized.model_key) as score_mean,
        median(sized.score) as score_median,
        median(sized.score / nullif(sized.emissions_kg, 0)) as score_per_kg_median
    from grid
    left join sized
        on
            grid.comparability_key = sized.comparability_key
            and grid.basis = sized.basis
            and grid.params_source = sized.params_source
            and grid.params_from_b <= sized.params_total_b
            and grid.params_below_b > sized.params_total_b
            and sized.score is not null
            and sized.emissions_kg is not null
    group by
        grid.bucket_order,
        grid.bucket,
        grid.params_source,
        grid.comparability_key,
        grid.comparability_hash,
        grid.suite,
        grid.basis,
        grid.as_of
),

leaderboard as (
    select * from {{ ref('int_leaderboard_buckets') }}
),

classes as (
    select
        bucket,
        params_source,
        'measured models' as population,
        comparability_key,
        basis,
        as_of,
        bucket_order,
        suite,
        n,
        n as n_models,
        emissions_kg_mean,
        emissions_kg_median,
        emissions_kg_p25,
        emissions_kg_p75,
        emissions_kg_p95,
        score_mean,
        score_median,
        score_per_kg_median
    from summed
    union all
    select
        bucket,
        params_source,
        population,
        {{ leaderboard_comparability_key() }} as comparability_key,
        basis,
        as_of,
        bucket_order,
        'leaderboard' as suite,
        n,
        n_models,
        emissions_kg_mean,
        emissions_kg_quantiles[2] as emissions_kg_median,
        emissions_kg_quantiles[1] as emissions_kg_p25,
        emissions_kg_quantiles[3] as emissions_kg_p75,
        emissions_kg_quantiles[4] as emissions_kg_p95,
        score_mean,
        score_median,
        score_per_kg_median
    from leaderboard
),

final as (
    select
        *,
        (lead(score_median) over next_bucket - score_median)
        / nullif(lead(emissions_kg_median) over next_bucket - emissions_kg_median, 0) as marginal_score_per_kg,
        {{ comparability_hash('comparability_key') }} as comparability_hash
    from classes
    window
        next_bucket as (
            partition by comparability_key, basis, params_source, population, as_of
            order by bucket_order
        )
)

select * from final
