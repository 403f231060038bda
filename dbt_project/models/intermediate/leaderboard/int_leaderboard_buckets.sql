{{ config(
    materialized='incremental', incremental_strategy='by_row_version', on_schema_change='fail'
) }}

with evaluations as (
    select * from {{ ref('int_leaderboard_by_basis') }} as by_basis
    where {{ is_of_a_missing_state('by_basis') }}
),

versions as (
    select * from {{ ref('int_leaderboard_state_versions') }}
),

buckets as (
    select * from {{ ref('size_buckets') }}
),

sized as (
    select
        *,
        'published' as params_source,
        bucket_published as bucket
    from evaluations
    union all
    select
        *,
        'trusted' as params_source,
        bucket_trusted as bucket
    from evaluations
),

populations as (
    select
        *,
        'all sized rows' as population
    from sized
    where bucket is not null
    union all
    select
        *,
        'study' as population
    from sized
    where bucket is not null and is_in_study_population
),

-- Every class of every comparison has a row, even if no model in the table has that size.
grid as (
    select
        comparisons.*,
        buckets.bucket_order,
        buckets.bucket
    from (
        select distinct
            populations.params_source,
            populations.population,
            populations.basis,
            populations.as_of,
            versions.row_version
        from populations
        inner join versions on populations.basis = versions.basis and populations.as_of = versions.as_of
    ) as comparisons
    cross join buckets
),

final as (
    select
        grid.bucket,
        grid.params_source,
        grid.population,
        grid.basis,
        grid.as_of,
        grid.bucket_order,
        grid.row_version,
        count(populations.emissions_kg) as n,
        count(populations.eval_name) as n_models,
        avg(populations.emissions_kg order by populations.eval_name) as emissions_kg_mean,
        quantile_cont(populations.emissions_kg, [0.25, 0.5, 0.75, 0.95]) as emissions_kg_quantiles,
        avg(populations.score order by populations.eval_name) filter (where populations.emissions_kg is not null)
            as score_mean,
        median(populations.score) filter (where populations.emissions_kg is not null) as score_median,
        median(populations.score / nullif(populations.emissions_kg, 0)) as score_per_kg_median
    from grid
    left join populations
        on
            grid.bucket = populations.bucket
            and grid.params_source = populations.params_source
            and grid.population = populations.population
            and grid.basis = populations.basis
            and grid.as_of = populations.as_of
    group by
        grid.bucket, grid.params_source, grid.population, grid.basis, grid.as_of, grid.bucket_order, grid.row_version
)

select * from final
