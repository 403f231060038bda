with tasks as (
    select * from {{ ref('int_task_efficiency') }}
    where is_planned
),

planned_tasks as (
    select distinct
        suite,
        suite_version,
        model_key,
        task
    from {{ ref('int_suite_plans') }}
    where is_planned
),

plans as (
    select
        suite,
        suite_version,
        model_key,
        count(*) as tasks_planned
    from planned_tasks
    group by suite, suite_version, model_key
),

compared as (
    select * from {{ ref('int_compared_models') }}
),

headline as (
    select * from {{ ref('int_headline_key') }}
),

shares as (
    select * from {{ ref('int_phase_shares') }}
),

student_t as (
    select * from {{ ref('student_t') }}
),

summed as (
    select
        comparability_key,
        model_key,
        any_value(suite) as suite,
        any_value(suite_version) as suite_version,
        any_value(machine_id) as machine_id,
        any_value(boundary) as boundary,
        any_value(calibration_factor) as calibration_factor,
        any_value(energy_method) as energy_method,
        max(run_started_at) as run_started_at,
        count(*) as tasks_covered,
        min(energy_repetitions) as energy_repetitions,
        bool_or(is_until_precise) as is_until_precise,
        {{ tasks_with_too_few_repetitions('energy_repetitions') }} as too_few_repetitions,
        count(score_normalised) as tasks_scored,
        sum(suite_weight * score_normalised order by task) / nullif(sum(suite_weight order by task), 0) as score,
        sum(suite_weight * 100 * score_share order by task) / nullif(sum(suite_weight order by task), 0)
            as score_unnormalised,
        string_agg(distinct score_reason, '; ' order by score_reason) as task_score_reasons,
        count(energy_kwh) as tasks_metered,
        string_agg(distinct task || ': ' || energy_reason, '; ' order by task || ': ' || energy_reason)
            as task_energy_reasons,
        {{ all_flags('energy_flags') }} as energy_flags,
        sum(energy_kwh order by task) as energy_kwh,
        string_agg(task, ', ' order by task) filter (where energy_kwh is not null) as tasks_with_energy,
        sum(gpu_energy_kwh order by task) as gpu_energy_kwh,
        sum(gpu_energy_kwh order by task) filter (where is_binary) as binary_gpu_energy_kwh,
        string_agg(distinct task || ': ' || gpu_energy_reason, '; ' order by task || ': ' || gpu_energy_reason)
            as task_gpu_energy_reasons,
        case when count(*) = count(net_energy_kwh) then sum(net_energy_kwh order by task) end as net_energy_kwh,
        sum(duration_s order by task) as duration_s,
        sum(emissions_kg order by task) as emissions_kg,
        sum(requests order by task) as requests,
        sum(tokens_prompt order by task) as tokens_prompt,
        sum(tokens_generated order by task) as tokens_generated,
        case when count(*) = count(tokens_computed) then sum(tokens_computed order by task) end as tokens_computed,
        case when count(*) = count(tokens_shared) then sum(tokens_shared order by task) end as tokens_shared,
        sum(energy_kwh order by task) filter (where is_generative) as generative_energy_kwh,
        sum(tokens_generated order by task) filter (where is_generative) as generative_tokens,
        sum(requests order by task) filter (where is_generative) as generative_requests,
        sum(energy_kwh order by task) filter (where is_binary) as binary_energy_kwh,
        sum(correct_answers order by task) filter (where is_binary) as correct_answers,
        count(*) filter (where is_binary) as binary_tasks,
        -- Tasks are independent. For a weighted mean, the distances to the tasks' limits add in quadrature (Zou and
        -- Donner 2008, Stat. Med. 27(10), 1693-1702).
        case
            when count(*) = count(score_normalised_low)
                then
                    sqrt(sum(pow(suite_weight * (score_normalised - score_normalised_low), 2) order by task))
                    / nullif(sum(suite_weight order by task), 0)
        end as score_below,
        case
            when count(*) = count(score_normalised_high)
                then
                    sqrt(sum(pow(suite_weight * (score_normalised_high - score_normalised), 2) order by task))
                    / nullif(sum(suite_weight order by task), 0)
        end as score_above,
        {{ sum_of_variances() }} / nullif(pow(sum(energy_kwh order by task), 2), 0) as energy_log_variance,
        {{ relative_variance_of_binary_tasks() }} as binary_energy_log_variance,
        sum(pow(correct_answers, 2) * {{ log_proportion_variance('correct_answers', 'n_documents') }} order by task)
        filter (where is_binary)
        / nullif(pow(sum(correct_answers order by task) filter (where is_binary), 2), 0) as correct_log_variance,
        -- Another sample of documents has other lengths, and uses energy in proportion to its tokens.
        sum(
            n_documents / nullif(n_documents - 1.0, 0)
            * (tokens_squared - pow(tokens_prompt + tokens_generated, 2) / n_documents) order by task
        )
        / nullif(pow(sum(tokens_prompt + tokens_generated order by task), 2), 0) as tokens_log_variance
    from tasks
    group by comparability_key, model_key
),

-- A task that was planned but never evaluated has no energy either.
without_energy as (
    select
        summed.comparability_key,
        summed.model_key,
        string_agg(planned_tasks.task, ', ' order by planned_tasks.task) as tasks_without_energy
    from summed
    inner join planned_tasks
        on
            summed.suite = planned_tasks.suite
            and summed.suite_version = planned_tasks.suite_version
            and summed.model_key = planned_tasks.model_key
    left join tasks
        on
            summed.comparability_key = tasks.comparability_key
            and summed.model_key = tasks.model_key
            and planned_tasks.task = tasks.task
    where tasks.energy_kwh is null
    group by summed.comparability_key, summed.model_key
),

judged as (
    select
        summed.*,
        without_energy.tasks_without_energy,
        plans.tasks_planned,
        compared.is_current,
        case
            when plans.tasks_planned is null then 'the suite''s plan is not known'
            when summed.tasks_covered < plans.tasks_planned
                then summed.tasks_covered || ' of ' || plans.tasks_planned || ' tasks are evaluated'
        end as incomplete_reason
    from summed
    inner join compared
        on
            summed.comparability_key = compared.comparability_key
            and summed.model_key = compared.model_key
    left join without_energy
        on
            summed.comparability_key = without_energy.comparability_key
            and summed.model_key = without_energy.model_key
    left join plans
        on
            summed.suite = plans.suite
            and summed.suite_version = plans.suite_version
            and summed.model_key = plans.model_key
),

reasoned as (
    select
        *,
        coalesce(
            incomplete_reason,
            case when tasks_scored < tasks_covered then task_score_reasons end
        ) as score_reason,
        coalesce(
            incomplete_reason,
            case when tasks_metered < tasks_covered then task_energy_reasons end
        ) as energy_reason,
        case
            when {{ has_gpu('boundary') }} then coalesce(incomplete_reason, task_gpu_energy_reasons)
            else 'no GPU in the boundary'
        end as gpu_energy_reason,
        case
            when binary_tasks = 0 then 'no task says what a correct answer is'
            when correct_answers = 0 then 'no answer is correct'
        end as no_correct_reason
    from judged
),

derived as (
    select
        reasoned.*,
        {{ t_of_energy('reasoned.is_until_precise') }} as t,
        coalesce(energy_reason, too_few_repetitions) as energy_interval_reason,
        coalesce(
            score_reason, case when score_below is null then 'lm-eval has no standard error for a task' end
        ) as score_interval_reason,
        case when score_reason is null then score end as suite_score,
        case when energy_reason is null then energy_kwh end as suite_energy_kwh,
        case when energy_reason is null then {{ joules('energy_kwh') }} end as energy_j,
        case when energy_reason is null then {{ joules('generative_energy_kwh') }} end as generative_energy_j,
        case
            when energy_reason is null then {{ joules('binary_energy_kwh') }} / nullif(correct_answers, 0)
        end as joules_per_correct,
        coalesce(energy_reason, no_correct_reason) as joules_per_correct_reason,
        case
            when gpu_energy_reason is null then {{ joules('binary_gpu_energy_kwh') }} / nullif(correct_answers, 0)
        end as joules_per_correct_gpu
    from reasoned
    left join student_t on {{ degrees_of_freedom('reasoned.energy_repetitions') }} = student_t.degrees_of_freedom
),

final as (
    select
        derived.model_key,
        derived.suite,
        derived.comparability_key,
        'measured' as basis,
        (derived.run_started_at at time zone 'UTC')::date as as_of,
        derived.is_current,
        headline.headline_rank,
        derived.suite_version,
        derived.machine_id,
        derived.tasks_planned,
        derived.tasks_covered,
        derived.energy_repetitions,
        derived.suite_score as score,
        case when derived.score_reason is null then derived.score_unnormalised end as score_unnormalised,
        case when derived.score_interval_reason is null then derived.score - derived.score_below end as score_low,
        case when derived.score_interval_reason is null then derived.score + derived.score_above end as score_high,
        derived.score_reason,
        derived.score_interval_reason,
        derived.suite_energy_kwh as energy_kwh,
        case when derived.energy_reason is null then derived.net_energy_kwh end as net_energy_kwh,
        {{ interval('derived.suite_energy_kwh', 'derived.energy_log_variance', 'energy_kwh') }},
        derived.energy_kwh as energy_known_kwh,
        derived.tasks_with_energy,
        derived.tasks_without_energy,
        case when derived.gpu_energy_reason is null then derived.gpu_energy_kwh end as gpu_energy_kwh,
        derived.energy_method,
        derived.boundary,
        derived.energy_reason,
        derived.energy_flags,
        derived.energy_interval_reason,
        derived.gpu_energy_reason,
        case when derived.energy_reason is null then derived.duration_s end as duration_s,
        case when derived.energy_reason is null then derived.emissions_kg end as emissions_kg,
        derived.calibration_factor,
        derived.calibration_factor * derived.suite_energy_kwh as calibrated_energy_kwh,
        case when derived.energy_reason is null then derived.calibration_factor * derived.emissions_kg end
            as calibrated_emissions_kg,
        {{ energy_valid_for('derived.calibration_factor') }} as energy_valid_for,
        derived.requests,
        derived.tokens_prompt,
        derived.tokens_generated,
        derived.tokens_computed,
        derived.tokens_shared,
        derived.correct_answers,
        derived.energy_j / nullif(derived.tokens_prompt + derived.tokens_generated, 0) as joules_per_token,
        {{ interval('joules_per_token', 'derived.energy_log_variance', 'joules_per_token') }},
        derived.energy_j / nullif(derived.tokens_computed, 0) as joules_per_token_computed,
        derived.generative_energy_j / nullif(derived.generative_tokens, 0) as joules_per_generated_token,
        derived.energy_j / nullif(derived.requests, 0) as joules_per_request,
        {{ interval(
            'joules_per_request', '(derived.energy_log_variance + derived.tokens_log_variance)', 'joules_per_request'
        ) }},
        derived.joules_per_correct,
        {{ interval(
            'derived.joules_per_correct', '(derived.binary_energy_log_variance + derived.correct_log_variance)',
            'joules_per_correct'
        ) }},
        derived.joules_per_correct_reason,
        derived.joules_per_correct_gpu,
        derived.generative_tokens / nullif(derived.generative_requests, 0) as tokens_out_per_request,
        shares.inference_share,
        shares.scoring_share,
        shares.idle_share,
        shares.load_share,
        shares.warmup_share,
        shares.known_time_share,
        {{ rank_inside_key('derived.suite_score', 'desc') }} as score_rank,
        {{ rank_inside_key('derived.suite_energy_kwh', 'asc') }} as energy_rank,
        {{ rank_inside_key('derived.joules_per_correct', 'asc') }} as joules_per_correct_rank,
        {{ comparability_hash('derived.comparability_key') }} as comparability_hash
    from derived
    left join headline on derived.comparability_key = headline.comparability_key
    left join shares
        on
            derived.comparability_key = shares.comparability_key
            and derived.model_key = shares.model_key
)

select * from final
