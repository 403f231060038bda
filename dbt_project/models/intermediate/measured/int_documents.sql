{{ config(materialized='view') }}

with samples as (
    select * from {{ ref('stg_samples') }}
),

scores as (
    select * from {{ ref('int_task_scores') }}
),

final as (
    select
        samples.*,
        case when scores.is_binary then (samples.score != 0) = scores.higher_is_better end as correct
    from samples
    left join scores
        on
            samples.run_id = scores.run_id
            and samples.task = scores.task
            and samples.repetition = scores.repetition
)

select * from final
