with evaluations as (
    select * from {{ ref('int_leaderboard_evaluations') }}
)

select * from evaluations
