{{ config(materialized='view') }}

with leaderboard as (
    select * from {{ ref('int_leaderboard_by_basis') }}
    where is_in_study_population
),

measured as (
    select * from {{ ref('int_measured_efficiency') }}
    where is_current
),

models as (
    select * from {{ ref('int_metered_models') }}
),

-- Metered models are compared within one comparability key, the headline.
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
        models.model_id as model,
        models.provider,
        models.params_b,
        models.params_b as params_trusted_b,
        models.bucket,
        measured.score,
        measured.emissions_kg,
        false as is_multi_run
    from measured
    inner join models on measured.model_key = models.model_key
    inner join headline on measured.comparability_key = headline.comparability_key
)

select * from final
