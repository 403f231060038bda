{{ config(materialized='view') }}

with evaluations as (
    select * exclude (row_version)
    from {{ ref('int_leaderboard_evaluations') }}
),

published as (
    select
        *,
        'leaderboard_published' as basis,
        emissions_published_kg as emissions_kg,
        case when emissions_published_kg is null then per_run_reason end as emissions_reason
    from evaluations
),

per_run as (
    select
        *,
        'leaderboard_per_run' as basis,
        emissions_per_run_kg as emissions_kg,
        per_run_reason as emissions_reason
    from evaluations
),

final as (
    select * from published
    union all
    select * from per_run
)

select
    *,
    -- As the evaluation's version, but without per_run_method, which no row with a basis shows.
    hash(model_key, emissions_kg, emissions_reason, is_multi_run) as row_version
from final
