with stops as (
    select * from {{ ref('stg_stops') }}
),

tasks as (
    select
        *,
        weight / sum(weight) over (partition by run_id, stopped_task, repetition) as weight_share
    from {{ ref('int_stopped_tasks') }}
),

questions as (
    select
        run_id,
        stopped_task,
        repetition,
        case when stopped_task = '' then {{ question('fingerprint', 'weight_share') }} else any_value(fingerprint) end
            as question,
        case
            when stopped_task != '' then any_value(reference_fingerprint)
            when count(*) = count(reference_fingerprint)
                then {{ question('reference_fingerprint', 'weight_share') }}
        end as reference_question
    from tasks
    group by run_id, stopped_task, repetition
),

final as (
    select
        stops.run_id,
        stops.task,
        stops.repetition,
        stops.suite,
        case when stops.task = '' then 'suite' else 'task' end as scope,
        questions.question,
        questions.reference_question,
        stops.until,
        stops.width_points,
        stops.margin_points,
        stops.stop_reason,
        stops.documents_asked,
        stops.documents_total,
        stops.verdict as verdict_code,
        stops.score_test,
        stops.p_value,
        stops.low,
        stops.high,
        stops.full_low,
        stops.full_high,
        row_number() over (
            partition by stops.task = '', questions.question, stops.repetition
            order by stops.run_id desc
        ) = 1 as is_newest,
        stops.p_value is not null
        and row_number() over (
            partition by
                stops.task = '', questions.question, questions.reference_question, stops.p_value is null
            order by stops.run_id desc, stops.repetition asc
        ) = 1 as is_test_of_pair
    from stops
    inner join questions
        on
            stops.run_id = questions.run_id
            and stops.task = questions.stopped_task
            and stops.repetition = questions.repetition
)

select * from final
