{#- Inlined: it draws on marts, and nothing but the claims draws on it. -#}
{{ config(materialized='ephemeral') }}

with leaderboard as (
    select * from {{ ref('int_leaderboard_by_basis') }}
    where is_in_study_population
),

measured as (
    select * from {{ ref('mart_model_efficiency') }}
    where basis = 'measured' and is_current
),

-- Metered models are compared within one comparability key: the one with the most models.
metered_key as (
    select
        comparability_key,
        max(as_of) as as_of
    from measured
    where score is not null and emissions_kg is not null
    group by comparability_key
    order by count(*) desc, comparability_key asc
    limit 1
),

final as (
    select
        basis,
        as_of,
        eval_name as model,
        provider,
        params_published_b as params_b,
        params_trusted_b,
        bucket_published as bucket,
        score,
        emissions_kg,
        is_multi_run
    from leaderboard
    union all
    select
        measured.basis,
        metered_key.as_of,
        measured.model_id as model,
        measured.provider,
        measured.params_b,
        measured.params_b as params_trusted_b,
        measured.bucket,
        measured.score,
        measured.emissions_kg,
        false as is_multi_run
    from measured
    inner join metered_key on measured.comparability_key = metered_key.comparability_key
)

select * from final
