{{ config(materialized='view') }}

with evaluations as (
    select * from {{ ref('int_leaderboard_evaluations') }}
),

published as (
    select
        *,
        'leaderboard_published' as basis,
        emissions_published_kg as emissions_kg,
        case when emissions_published_kg is null then per_run_reason end as emissions_reason,
        as_of as emissions_evidence_through
    from evaluations
),

per_run as (
    select
        *,
        'leaderboard_per_run' as basis,
        emissions_per_run_kg as emissions_kg,
        per_run_reason as emissions_reason,
        evidence_through as emissions_evidence_through
    from evaluations
)

select * from published
union all
select * from per_run
