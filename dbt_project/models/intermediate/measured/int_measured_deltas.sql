with tasks as (
    select * from {{ ref('int_task_efficiency') }}
    where is_planned
),

suites as (
    select * from {{ ref('int_measured_efficiency') }}
),

known_sides as (
    select * from {{ ref('int_known_sides') }}
),

statistics as (
    select * from {{ ref('int_paired_statistics') }}
),

models as (
    select * from {{ ref('int_metered_models') }}
),

student_t as (
    select * from {{ ref('student_t') }}
),

margins as (
    select
        any_value(margin) filter (where quantity = 'score') as score_margin,
        any_value(margin) filter (where quantity = 'energy') as energy_margin,
        any_value(margin) filter (where quantity = 'joules_per_correct') as joules_per_correct_margin
    from {{ ref('equivalence_margins') }}
),

-- What one model shows on a task, on the suite, and on the tasks whose energies are known of it and of the model it is
-- paired with, in the same columns.
task_sides as (
    select
        comparability_key,
        model_key,
        null::varchar as paired_with,
        suite,
        'task' as scope,
        task,
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
        case when is_binary then energy_variance / nullif(pow(energy_kwh, 2), 0) end as correct_energy_variance
    from tasks
),

suite_variances as (
    select
        comparability_key,
        model_key,
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
        null::varchar as paired_with,
        suites.suite,
        'suite' as scope,
        '' as task,
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
        suite_variances.correct_energy_variance
    from suites
    inner join suite_variances
        on
            suites.comparability_key = suite_variances.comparability_key
            and suites.model_key = suite_variances.model_key
),

sides as (
    select * from task_sides
    union all
    select * from suite_sides
    union all
    select
        comparability_key,
        model_key,
        paired_with,
        suite,
        'known_tasks' as scope,
        '' as task,
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
        correct_energy_variance
    from known_sides
),

compared as (
    select
        statistics.*,
        base.suite,
        greatest(base.as_of, finetuned.as_of) as as_of,
        base.energy_method,
        base.score as base_score,
        finetuned.score as finetuned_score,
        base.energy_kwh as base_energy_kwh,
        finetuned.energy_kwh as finetuned_energy_kwh,
        base.tokens_out_per_request as base_tokens_out_per_request,
        finetuned.tokens_out_per_request as finetuned_tokens_out_per_request,
        base.joules_per_correct as base_joules_per_correct,
        finetuned.joules_per_correct as finetuned_joules_per_correct,
        least(base.energy_repetitions, finetuned.energy_repetitions) as energy_repetitions,
        base.is_until_precise or finetuned.is_until_precise as is_until_precise,
        coalesce(
            case when base.score_reason = finetuned.score_reason then base.score_reason end,
            'base: ' || base.score_reason,
            'fine-tuned: ' || finetuned.score_reason
        ) as side_score_reason,
        coalesce(
            case when base.energy_reason = finetuned.energy_reason then base.energy_reason end,
            'base: ' || base.energy_reason,
            'fine-tuned: ' || finetuned.energy_reason,
            case
                when base.energy_interval_reason = finetuned.energy_interval_reason then base.energy_interval_reason
            end,
            'base: ' || base.energy_interval_reason,
            'fine-tuned: ' || finetuned.energy_interval_reason
        ) as energy_interval_reason,
        coalesce(
            'base: ' || base.joules_per_correct_reason, 'fine-tuned: ' || finetuned.joules_per_correct_reason
        ) as side_correct_reason,
        base.energy_variance / nullif(pow(base.energy_kwh, 2), 0)
        + finetuned.energy_variance / nullif(pow(finetuned.energy_kwh, 2), 0) as energy_log_variance,
        base.correct_energy_variance + finetuned.correct_energy_variance as correct_energy_log_variance
    from statistics
    inner join sides as base
        on
            statistics.comparability_key = base.comparability_key
            and statistics.base_model_key = base.model_key
            and statistics.finetuned_model_key = coalesce(base.paired_with, statistics.finetuned_model_key)
            and statistics.scope = base.scope
            and statistics.task = base.task
    inner join sides as finetuned
        on
            statistics.comparability_key = finetuned.comparability_key
            and statistics.finetuned_model_key = finetuned.model_key
            and statistics.base_model_key = coalesce(finetuned.paired_with, statistics.base_model_key)
            and statistics.scope = finetuned.scope
            and statistics.task = finetuned.task
),

reasoned as (
    select
        compared.*,
        margins.*,
        {{ t_of_energy('compared.is_until_precise') }} as t,
        {{ t_of_energy_one_sided('compared.is_until_precise') }} as t_one_sided,
        case
            when not compared.is_same_question
                then 'asked differently: few-shot, limit, chat template or version of a task'
            else compared.side_score_reason
        end as score_reason,
        case
            when not compared.is_same_question then 'asked differently'
            -- What is better can be tested on a metric whose scale is not known.
            when compared.scope != 'task' and compared.side_score_reason is not null then compared.side_score_reason
            when not compared.has_difference then 'a metric is no mean over the documents'
            when not compared.is_paired then 'the two did not answer the same documents'
            when compared.scope != 'task' and compared.is_clipped
                then 'a task is at or below chance, where the score stops falling'
        end as score_test_reason,
        case
            when compared.is_counted is null then 'nothing is generated'
            when not compared.is_counted then 'the two did not answer the same documents'
            when coalesce(compared.tokens_ratio, 0) = 0 then 'one of the two generated nothing'
        end as tokens_interval_reason,
        coalesce(
            compared.side_correct_reason,
            case when not coalesce(compared.is_judged, false) then 'the two did not answer the same documents' end
        ) as correct_reason
    from compared
    cross join margins
    left join student_t on least(compared.energy_repetitions - 1, 30) = student_t.degrees_of_freedom
),

derived as (
    select
        *,
        case when score_reason is null then finetuned_score - base_score end as score_delta,
        finetuned_energy_kwh / nullif(base_energy_kwh, 0) as energy_ratio,
        case when is_counted then tokens_ratio end as tokens_out_ratio,
        finetuned_joules_per_correct / nullif(base_joules_per_correct, 0) as joules_per_correct_ratio,
        -- The middle and the standard error of the interval of score_delta.
        case
            when score_test_reason is not null then null
            when scope = 'task' then task_centre
            else finetuned_score - base_score
        end as score_centre,
        case
            when score_test_reason is not null then null
            when scope = 'task' then task_error
            else sqrt(score_variance)
        end as score_error,
        exp({{ z() }} * sqrt(tokens_log_variance)) as tokens_spread,
        exp(t * sqrt(energy_log_variance)) as energy_spread,
        exp(t_one_sided * sqrt(energy_log_variance)) as energy_spread_one_sided,
        case when correct_reason is null then exp({{ z() }} * sqrt(correct_log_variance)) end as documents_spread,
        case
            when correct_reason is null and energy_repetitions >= 3
                then exp(t * sqrt(correct_log_variance + correct_energy_log_variance))
        end as correct_spread,
        case
            when correct_reason is null and energy_repetitions >= 3
                then exp(t_one_sided * sqrt(correct_log_variance + correct_energy_log_variance))
        end as correct_spread_one_sided
    from reasoned
),

bounded as (
    select
        *,
        coalesce(score_test_reason, score_reason) as score_interval_reason,
        case when score_reason is null then score_centre - {{ z() }} * score_error end as score_delta_low,
        case when score_reason is null then score_centre + {{ z() }} * score_error end as score_delta_high,
        case
            when score_test_reason is not null then null
            when scope = 'task' and is_binary then mcnemar_p_value
            when score_error > 0 then {{ normal_p_value('(score_centre / score_error)') }}
            else (score_centre = 0)::int
        end as score_p_value,
        case
            when score_test_reason is not null then null
            when scope = 'task' and is_binary then 'exact McNemar'
            else 'paired difference'
        end as score_test,
        case when score_reason is null then abs(score_centre) + {{ z_one_sided() }} * score_error < score_margin end
            as is_score_equivalent,
        case
            when energy_interval_reason is null
                then exp(abs(ln(energy_ratio))) * energy_spread_one_sided < energy_margin
        end as is_energy_equivalent,
        exp(abs(ln(joules_per_correct_ratio))) * correct_spread_one_sided < joules_per_correct_margin
            as is_correct_equivalent,
        case when energy_interval_reason is null then energy_ratio / energy_spread end as energy_ratio_low,
        case when energy_interval_reason is null then energy_ratio * energy_spread end as energy_ratio_high,
        case when tokens_interval_reason is null then tokens_out_ratio / tokens_spread end as tokens_out_ratio_low,
        case when tokens_interval_reason is null then tokens_out_ratio * tokens_spread end as tokens_out_ratio_high,
        joules_per_correct_ratio / correct_spread as joules_per_correct_ratio_low,
        joules_per_correct_ratio * correct_spread as joules_per_correct_ratio_high,
        joules_per_correct_ratio / documents_spread as joules_per_correct_ratio_documents_low,
        joules_per_correct_ratio * documents_spread as joules_per_correct_ratio_documents_high
    from derived
),

judged as (
    select
        *,
        case
            when joules_per_correct_ratio is null or documents_spread is null then 'cannot be told'
            when is_correct_equivalent then 'equivalent'
            when coalesce(joules_per_correct_ratio_high, joules_per_correct_ratio_documents_high) < 1 then 'less'
            when coalesce(joules_per_correct_ratio_low, joules_per_correct_ratio_documents_low) > 1 then 'more'
            else 'no difference shown'
        end as direction,
        case
            when energy_interval_reason is not null then 'cannot be told'
            when is_energy_equivalent then 'equivalent'
            when energy_ratio_high < 1 then 'less'
            when energy_ratio_low > 1 then 'more'
            else 'no difference shown'
        end as energy_verdict,
        {{ benjamini_hochberg_step('score_p_value', 'comparability_key, scope') }} as score_p_step,
        count(score_p_value) over (partition by comparability_key, scope) as score_family
    from bounded
),

adjusted as (
    select
        *,
        {{ benjamini_hochberg('score_p_value', 'score_p_step', 'comparability_key, scope') }} as score_p_adjusted
    from judged
),

final as (
    select
        adjusted.base_model_key,
        adjusted.finetuned_model_key,
        adjusted.scope,
        adjusted.task,
        adjusted.comparability_key,
        'measured' as basis,
        adjusted.as_of,
        base.model_id as base_model_id,
        finetuned.model_id as finetuned_model_id,
        finetuned.kind as finetuned_kind,
        finetuned.family,
        adjusted.suite,
        adjusted.tasks_compared,
        adjusted.tasks_paired,
        suites.tasks_planned,
        case
            when adjusted.direction in ('less', 'more') and adjusted.correct_spread is null
                then adjusted.direction || ', energy repeated too rarely to be sure'
            else adjusted.direction
        end as verdict,
        case
            when adjusted.direction = 'cannot be told'
                then coalesce(adjusted.correct_reason, 'too few documents')
            else format(
                '{:.3g} times the base''s energy per correct answer, 95 % interval {:.3g} to {:.3g} {} {:,} paired '
                'documents{}; {}',
                adjusted.joules_per_correct_ratio,
                coalesce(
                    adjusted.joules_per_correct_ratio_low, adjusted.joules_per_correct_ratio_documents_low
                ),
                coalesce(
                    adjusted.joules_per_correct_ratio_high, adjusted.joules_per_correct_ratio_documents_high
                ),
                case when adjusted.correct_spread is null then 'from' else 'from repetitions and' end,
                adjusted.judged_documents,
                case
                    when adjusted.correct_spread is null
                        then ', without the spread of the energy (' || adjusted.energy_interval_reason || ')'
                    else ''
                end,
                adjusted.energy_method
            )
        end as verdict_reason,
        adjusted.documents as documents_paired,
        adjusted.base_score,
        adjusted.finetuned_score,
        adjusted.score_delta,
        adjusted.score_delta_low,
        adjusted.score_delta_high,
        adjusted.score_reason,
        case
            when adjusted.score_test_reason is not null then 'cannot be told'
            when adjusted.is_score_equivalent then 'equivalent'
            when adjusted.score_p_adjusted <= 0.05 and adjusted.score_centre > 0 then 'better'
            when adjusted.score_p_adjusted <= 0.05 then 'worse'
            else 'no difference shown'
        end as score_verdict,
        adjusted.score_test,
        adjusted.score_p_value,
        adjusted.score_p_adjusted,
        adjusted.score_family,
        adjusted.score_margin,
        adjusted.score_interval_reason,
        adjusted.base_energy_kwh,
        adjusted.finetuned_energy_kwh,
        adjusted.energy_ratio,
        adjusted.energy_ratio_low,
        adjusted.energy_ratio_high,
        adjusted.energy_interval_reason,
        adjusted.energy_verdict,
        adjusted.energy_method,
        adjusted.base_tokens_out_per_request,
        adjusted.finetuned_tokens_out_per_request,
        adjusted.tokens_out_ratio,
        adjusted.tokens_out_ratio_low,
        adjusted.tokens_out_ratio_high,
        adjusted.tokens_interval_reason,
        adjusted.base_joules_per_correct,
        adjusted.finetuned_joules_per_correct,
        adjusted.joules_per_correct_ratio,
        adjusted.joules_per_correct_ratio_low,
        adjusted.joules_per_correct_ratio_high,
        adjusted.joules_per_correct_ratio_documents_low,
        adjusted.joules_per_correct_ratio_documents_high,
        adjusted.correct_reason as joules_per_correct_reason,
        {{ comparability_hash('adjusted.comparability_key') }} as comparability_hash
    from adjusted
    inner join models as base on adjusted.base_model_key = base.model_key
    inner join models as finetuned on adjusted.finetuned_model_key = finetuned.model_key
    left join suites
        on
            adjusted.comparability_key = suites.comparability_key
            and adjusted.base_model_key = suites.model_key
)

select * from final
