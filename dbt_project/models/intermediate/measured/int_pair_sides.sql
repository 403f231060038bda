with tasks as (
    select
        *,
        suite_weight / sum(suite_weight) over (partition by comparability_key, model_key) as weight_share
    from {{ ref('int_task_efficiency') }}
    where is_planned
),

suites as (
    select * from {{ ref('int_measured_efficiency') }}
),

known_sides as (
    select * from {{ ref('int_known_sides') }}
),

task_sides as (
    select
        comparability_key,
        model_key,
        '' as paired_with,
        suite,
        'task' as scope,
        task,
        fingerprint as question,
        n_documents,
        (run_started_at at time zone 'UTC')::date as as_of,
        energy_method,
        100 * score_share as score,
        score_reason,
        energy_kwh,
        energy_variance,
        energy_reason,
        energy_repetitions,
        is_until_precise,
        coalesce(energy_reason, {{ too_few_repetitions('energy_repetitions') }}) as energy_interval_reason,
        case when is_generative then tokens_generated / nullif(requests, 0) end as tokens_out_per_request,
        case when is_binary then {{ joules('energy_kwh') }} / nullif(correct_answers, 0) end as joules_per_correct,
        case
            when energy_reason is not null then energy_reason
            when not is_binary then 'the metric does not say what a correct answer is'
            when correct_answers = 0 then 'no answer is correct'
        end as joules_per_correct_reason,
        case when is_binary then correct_answers end as correct_answers,
        case when is_binary then energy_variance / nullif(pow(energy_kwh, 2), 0) end as correct_energy_variance
    from tasks
),

suite_variances as (
    select
        comparability_key,
        model_key,
        {{ question('fingerprint', 'weight_share') }} as question,
        sum(n_documents)::bigint as n_documents,
        bool_or(is_until_precise) as is_until_precise,
        {{ sum_of_variances() }} as energy_variance,
        {{ relative_variance_of_binary_tasks() }} as correct_energy_variance
    from tasks
    group by comparability_key, model_key
),

suite_sides as (
    select
        suites.comparability_key,
        suites.model_key,
        '' as paired_with,
        suites.suite,
        'suite' as scope,
        '' as task,
        suite_variances.question,
        suite_variances.n_documents,
        suites.as_of,
        suites.energy_method,
        suites.score,
        suites.score_reason,
        suites.energy_kwh,
        suite_variances.energy_variance,
        suites.energy_reason,
        suites.energy_repetitions,
        suite_variances.is_until_precise,
        suites.energy_interval_reason,
        suites.tokens_out_per_request,
        suites.joules_per_correct,
        suites.joules_per_correct_reason,
        suites.correct_answers,
        suite_variances.correct_energy_variance
    from suites
    inner join suite_variances
        on
            suites.comparability_key = suite_variances.comparability_key
            and suites.model_key = suite_variances.model_key
),

known_tasks_sides as (
    select
        comparability_key,
        model_key,
        paired_with,
        suite,
        'known_tasks' as scope,
        '' as task,
        null::varchar as question,
        n_documents,
        as_of,
        energy_method,
        score,
        score_reason,
        energy_kwh,
        energy_variance,
        null::varchar as energy_reason,
        energy_repetitions,
        is_until_precise,
        energy_interval_reason,
        tokens_out_per_request,
        joules_per_correct,
        joules_per_correct_reason,
        correct_answers,
        correct_energy_variance
    from known_sides
),

sides as (
    select * from task_sides
    union all
    select * from suite_sides
    union all
    select * from known_tasks_sides
),

final as (
    select
        * exclude (correct_answers),
        case
            when energy_reason is not null then 'energy_not_known'
            when correct_answers = 0 then 'no_answer_is_correct'
            when joules_per_correct_reason is not null then 'correct_not_defined'
        end as joules_per_correct_reason_code
    from sides
)

select * from final
