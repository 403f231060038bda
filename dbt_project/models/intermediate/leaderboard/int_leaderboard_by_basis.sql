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
    -- As that of the evaluation, but for how a value of one run was found: nothing that has a basis tells it.
    hash(model_key, emissions_kg, emissions_reason, is_multi_run) as row_version
from final
