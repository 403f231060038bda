with tasks as (
    select * from {{ ref('int_task_efficiency') }}
    where is_planned and is_generative
),

models as (
    select * from {{ ref('int_compared_models') }}
),

measured as (
    select
        tasks.model_key,
        tasks.task,
        tasks.comparability_key,
        'measured' as basis,
        (tasks.run_started_at at time zone 'UTC')::date as as_of,
        models.model_id,
        models.base_model_id,
        models.is_current,
        tasks.suite,
        tasks.n_documents as documents,
        tasks.tokens_generated / nullif(tasks.requests, 0) as tokens_out_per_request,
        sqrt({{ log_ratio_variance_part(
            'tasks.n_documents', 'tasks.n_documents', 'tasks.tokens_generated', 'tasks.n_documents',
            'tasks.tokens_generated', 'tasks.tokens_generated_squared', 'tasks.n_documents',
            'nullif(tasks.tokens_generated, 0)'
        ) }}) as log_error,
        tasks.characters_generated / nullif(tasks.requests, 0) as characters,
        {{ joules('tasks.energy_kwh') }} / nullif(tasks.requests, 0) as joules_per_request,
        {{ joules('tasks.energy_kwh') }} / nullif(tasks.tokens_generated, 0) as joules_per_generated_token,
        case when tasks.is_binary then {{ joules('tasks.energy_kwh') }} / nullif(tasks.correct_answers, 0) end
            as joules_per_correct,
        case
            when tasks.energy_reason is not null then tasks.energy_reason
            when not tasks.is_binary then 'the metric does not say what a correct answer is'
            when tasks.correct_answers = 0 then 'no answer is correct'
        end as joules_per_correct_reason,
        100 * tasks.score_share as score
    from tasks
    inner join models
        on
            tasks.comparability_key = models.comparability_key
            and tasks.model_key = models.model_key
),

final as (
    select
        model_key,
        task,
        comparability_key,
        basis,
        as_of,
        model_id,
        base_model_id,
        is_current,
        suite,
        documents,
        tokens_out_per_request,
        tokens_out_per_request * exp(-{{ z() }} * log_error) as tokens_out_per_request_low,
        tokens_out_per_request * exp({{ z() }} * log_error) as tokens_out_per_request_high,
        characters,
        joules_per_request,
        joules_per_generated_token,
        joules_per_correct,
        joules_per_correct_reason,
        score,
        case
            when is_current
                then rank() over (
                    partition by comparability_key, task, is_current order by tokens_out_per_request desc
                )
        end as verbosity_rank,
        {{ comparability_hash('comparability_key') }} as comparability_hash
    from measured
)

select * from final
