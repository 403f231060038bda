with places as (
    select * from {{ ref('int_asked_places') }}
),

parts as (
    select * from {{ ref('stg_parts') }}
),

models as (
    select * from {{ ref('stg_models') }}
),

metrics as (
    select * from {{ ref('metrics') }}
),

whole_evaluations as (
    select * from {{ ref('int_task_evaluations') }}
),

-- What all evaluations of a question say of its metric.
whole_questions as (
    select
        score_comparability_key,
        metric,
        filter,
        bool_and(is_binary) as is_binary,
        any_value(chance) as chance
    from whole_evaluations
    group by score_comparability_key, metric, filter
),

asked as (
    select
        task,
        fingerprint,
        repetition,
        max(run_id) as run_id,
        arg_max(first_place, (run_id, first_place)) as first_place,
        count(*) as documents_asked
    from places
    group by task, fingerprint, repetition
),

unfinished as (
    select asked.*
    from asked
    left join whole_evaluations
        on
            asked.fingerprint = whole_evaluations.fingerprint
            and asked.repetition = whole_evaluations.repetition
            and whole_evaluations.is_valid
    where whole_evaluations.run_id is null
),

final as (
    select
        unfinished.* exclude (first_place),
        parts.documents_total,
        parts.metric,
        parts.filter,
        parts.higher_is_better,
        bool_and(parts.is_binary) over same_question
        and coalesce(whole_questions.is_binary, metrics.is_binary, true) as is_binary,
        coalesce(whole_questions.chance, parts.chance) as chance,
        parts.score_comparability_key,
        parts.output_type = 'generate_until' as is_generative,
        parts.num_fewshot,
        models.model_key,
        models.model_id,
        models.base_model as base_model_id
    from unfinished
    inner join parts
        on
            unfinished.run_id = parts.run_id
            and unfinished.task = parts.task
            and unfinished.repetition = parts.repetition
            and unfinished.first_place = parts.first_place
    inner join models on unfinished.run_id = models.run_id
    left join metrics
        on parts.metric = metrics.metric and coalesce(parts.output_type = metrics.output_type, true)
    left join whole_questions
        on
            parts.score_comparability_key = whole_questions.score_comparability_key
            and parts.metric = whole_questions.metric
            and parts.filter = whole_questions.filter
    window same_question as (partition by parts.score_comparability_key, parts.metric, parts.filter)
)

select * from final
