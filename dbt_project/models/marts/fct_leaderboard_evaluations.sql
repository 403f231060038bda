{{ config(
    materialized='incremental', incremental_strategy='by_row_version', on_schema_change='fail',
    unique_key=['as_of', 'eval_name'], meta={'versions': 'int_leaderboard_evaluations'},
    post_hook="
        update {{ this }} set evidence_through = (select max(as_of) from {{ this }})
        where evidence_through != (select max(as_of) from {{ this }})
    "
) }}

with evaluations as (
    select * from {{ ref('int_leaderboard_evaluations') }} as all_evaluations
    where {{ is_missing('all_evaluations', ['as_of', 'eval_name']) }}
),

-- What is known about a row rests on all states, and so does what is unknown.
states as (
    select max(as_of) as evidence_through from {{ ref('int_leaderboard_evaluations') }}
),

final as (
    select
        evaluations.*,
        states.evidence_through
    from evaluations
    cross join states
)

select * from final
