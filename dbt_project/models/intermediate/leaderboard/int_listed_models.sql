with evaluations as (
    select * from {{ ref('int_leaderboard_evaluations') }}
),

spans as (
    select
        eval_name,
        min(as_of) as first_listed_on,
        max(as_of) as last_listed_on
    from evaluations
    group by eval_name
),

newest_states as (
    select
        model_key,
        max(as_of) as as_of
    from evaluations
    group by model_key
),

-- A row of the leaderboard from the newest state that lists it. Two rows for the same model metered here count once.
final as (
    select
        evaluations.*,
        spans.first_listed_on,
        spans.last_listed_on
    from evaluations
    inner join newest_states
        on evaluations.model_key = newest_states.model_key and evaluations.as_of = newest_states.as_of
    inner join spans on evaluations.eval_name = spans.eval_name
    qualify row_number() over (partition by evaluations.model_key order by evaluations.eval_name) = 1
)

select * from final
