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

-- Metered models are compared within one comparability key.
headline as (
    select * from {{ ref('int_headline_key') }}
    where headline_rank = 1
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
        headline.as_of,
        measured.model_id as model,
        measured.provider,
        measured.params_b,
        measured.params_b as params_trusted_b,
        measured.bucket,
        measured.score,
        measured.emissions_kg,
        false as is_multi_run
    from measured
    inner join headline on measured.comparability_key = headline.comparability_key
)

select * from final
