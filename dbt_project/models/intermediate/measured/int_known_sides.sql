with paired_tasks as (
    select * from {{ ref('int_paired_tasks') }}
    where is_known_task
),

tasks as (
    select * from {{ ref('int_task_efficiency') }}
    where is_planned
),

known as (
    select
        tasks.*,
        case
            when tasks.model_key = paired_tasks.base_model_key then paired_tasks.finetuned_model_key
            else paired_tasks.base_model_key
        end as paired_with
    from paired_tasks
    inner join tasks
        on
            paired_tasks.comparability_key = tasks.comparability_key
            and tasks.model_key in (paired_tasks.base_model_key, paired_tasks.finetuned_model_key)
            and paired_tasks.task = tasks.task
),

-- The same sums as int_measured_efficiency's for a suite.
summed as (
    select
        comparability_key,
        model_key,
        paired_with,
        any_value(suite) as suite,
        (max(run_started_at) at time zone 'UTC')::date as as_of,
        any_value(energy_method) as energy_method,
        sum(suite_weight * score_normalised order by task) / nullif(sum(suite_weight order by task), 0) as score,
        string_agg(distinct score_reason, '; ' order by score_reason) as score_reason,
        sum(energy_kwh order by task) as energy_kwh,
        {{ sum_of_variances() }} as energy_variance,
        sum(n_documents)::bigint as n_documents,
        min(energy_repetitions) as energy_repetitions,
        bool_or(is_until_precise) as is_until_precise,
        {{ tasks_with_too_few_repetitions('energy_repetitions') }} as energy_interval_reason,
        sum(tokens_generated order by task) filter (where is_generative)
        / nullif(sum(requests order by task) filter (where is_generative), 0) as tokens_out_per_request,
        sum(energy_kwh order by task) filter (where is_binary) as binary_energy_kwh,
        sum(correct_answers order by task) filter (where is_binary) as correct_answers,
        {{ relative_variance_of_binary_tasks() }} as correct_energy_variance
    from known
    group by comparability_key, model_key, paired_with
),

final as (
    select
        * exclude (score, binary_energy_kwh),
        case when score_reason is null then score end as score,
        {{ joules('binary_energy_kwh') }} / nullif(correct_answers, 0) as joules_per_correct,
        case
            when correct_answers is null then 'no task says what a correct answer is'
            when correct_answers = 0 then 'no answer is correct'
        end as joules_per_correct_reason
    from summed
)

select * from final
