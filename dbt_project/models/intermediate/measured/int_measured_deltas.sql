with compared as (
    select
        *,
        comparability_key as whole_comparability_key
    from {{ ref('int_compared_sides') }}
    union all by name
    select * from {{ ref('int_part_deltas') }}
),

suites as (
    select * from {{ ref('int_measured_efficiency') }}
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

with_quantiles as (
    select
        compared.*,
        margins.* replace (coalesce(compared.stop_margin, margins.score_margin) as score_margin),
        {{ t_of_energy('compared.is_until_precise') }} as t,
        {{ t_of_energy_one_sided('compared.is_until_precise') }} as t_one_sided
    from compared
    cross join margins
    left join student_t on {{ degrees_of_freedom('compared.energy_repetitions') }} = student_t.degrees_of_freedom
),

derived as (
    select
        *,
        case when score_reason_code is null then finetuned_score - base_score end as score_delta,
        finetuned_energy_kwh / nullif(base_energy_kwh, 0) as energy_ratio,
        case when is_counted then tokens_ratio end as tokens_out_ratio,
        finetuned_joules_per_correct / nullif(base_joules_per_correct, 0) as joules_per_correct_ratio,
        -- Centre and standard error of the interval of score_delta. A repeated interval has no such error.
        case
            when score_test_reason_code is not null then null
            when stop_score_test is not null then (stop_low + stop_high) / 2
            when scope = 'task' then task_centre
            else finetuned_score - base_score
        end as score_centre,
        case
            when score_test_reason_code is not null or stop_score_test is not null then null
            when scope = 'task' then task_error
            else sqrt(score_variance)
        end as score_error,
        exp({{ z() }} * sqrt(tokens_log_variance)) as tokens_spread,
        exp(t * sqrt(energy_log_variance)) as energy_spread,
        exp(t_one_sided * sqrt(energy_log_variance)) as energy_spread_one_sided,
        case
            when joules_per_correct_reason_code is null then exp({{ z() }} * sqrt(correct_log_variance))
        end as documents_spread,
        case
            when joules_per_correct_reason_code is null and energy_repetitions >= {{ fewest_repetitions() }}
                then exp(t * sqrt(correct_log_variance + correct_energy_log_variance))
        end as correct_spread,
        case
            when joules_per_correct_reason_code is null and energy_repetitions >= {{ fewest_repetitions() }}
                then exp(t_one_sided * sqrt(correct_log_variance + correct_energy_log_variance))
        end as correct_spread_one_sided
    from with_quantiles
),

bounded as (
    select
        *,
        coalesce(score_test_reason, score_reason) as score_interval_reason,
        coalesce(score_test_reason_code, score_reason_code) as score_interval_reason_code,
        -- What limits the energy per correct answer, or keeps it from being compared.
        coalesce(
            joules_per_correct_reason_code,
            case
                when joules_per_correct_ratio is null or documents_spread is null then 'too_few_documents'
                when correct_spread is null then 'too_few_repetitions'
            end
        ) as reason_code,
        case
            when score_interval_reason_code is null then coalesce(stop_low, score_centre - {{ z() }} * score_error)
        end as score_delta_low,
        case
            when score_interval_reason_code is null then coalesce(stop_high, score_centre + {{ z() }} * score_error)
        end as score_delta_high,
        case
            when score_test_reason_code is not null then null
            when stop_score_test is not null then stop_p_value
            when scope = 'task' and is_binary then mcnemar_p_value
            when score_error > 0 then {{ normal_p_value('(score_centre / score_error)') }}
            else (score_centre = 0)::int
        end as score_p_value,
        case
            when score_test_reason_code is not null then null
            when stop_score_test is not null then stop_score_test
            when scope = 'task' and is_binary then 'exact McNemar'
            else 'paired difference'
        end as score_test,
        case
            when stop_score_test is not null then coalesce(stop_verdict_code = 'equivalent', false)
            when score_reason_code is null then abs(score_centre) + {{ z_one_sided() }} * score_error < score_margin
        end as is_score_equivalent,
        case
            when energy_interval_reason_code is null
                then exp(abs(ln(energy_ratio))) * energy_spread_one_sided < energy_margin
        end as is_energy_equivalent,
        exp(abs(ln(joules_per_correct_ratio))) * correct_spread_one_sided < joules_per_correct_margin
            as is_correct_equivalent,
        case when energy_interval_reason_code is null then energy_ratio / energy_spread end as energy_ratio_low,
        case when energy_interval_reason_code is null then energy_ratio * energy_spread end as energy_ratio_high,
        case when tokens_interval_reason_code is null then tokens_out_ratio / tokens_spread end as tokens_out_ratio_low,
        case when tokens_interval_reason_code is null then tokens_out_ratio * tokens_spread end
            as tokens_out_ratio_high,
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
            when joules_per_correct_ratio is null or documents_spread is null then 'undetermined'
            when is_correct_equivalent then 'equivalent'
            when coalesce(joules_per_correct_ratio_high, joules_per_correct_ratio_documents_high) < 1 then 'less'
            when coalesce(joules_per_correct_ratio_low, joules_per_correct_ratio_documents_low) > 1 then 'more'
            else 'no_difference_shown'
        end as verdict_code,
        case
            when energy_interval_reason_code is not null then 'undetermined'
            when is_energy_equivalent then 'equivalent'
            when energy_ratio_high < 1 then 'less'
            when energy_ratio_low > 1 then 'more'
            else 'no_difference_shown'
        end as energy_verdict_code,
        -- What only a gate asks for is no member of the family that everybody sees.
        {{ benjamini_hochberg_step('score_p_value', 'whole_comparability_key, scope, is_lineage') }} as score_p_step,
        count(score_p_value) over (partition by whole_comparability_key, scope, is_lineage) as score_family
    from bounded
),

adjusted as (
    select
        *,
        {{ benjamini_hochberg('score_p_value', 'score_p_step', 'whole_comparability_key, scope, is_lineage') }}
            as score_p_adjusted
    from judged
),

coded as (
    select
        *,
        case
            when score_test_reason_code is not null then 'undetermined'
            when is_score_equivalent then 'equivalent'
            when score_p_adjusted <= 0.05 and score_centre > 0 then 'better'
            when score_p_adjusted <= 0.05 then 'worse'
            when stop_score_test is not null and stop_verdict_code is null then 'not_decided_yet'
            else 'no_difference_shown'
        end as score_verdict_code
    from adjusted
),

final as (
    select
        coded.base_model_key,
        coded.finetuned_model_key,
        coded.scope,
        coded.task,
        coded.comparability_key,
        'measured' as basis,
        coded.as_of,
        base.model_id as base_model_id,
        finetuned.model_id as finetuned_model_id,
        finetuned.kind as finetuned_kind,
        finetuned.family,
        coded.suite,
        coded.tasks_compared,
        coded.tasks_paired,
        suites.tasks_planned,
        coded.verdict_code,
        coded.reason_code,
        {{ verdict_in_words('coded.verdict_code', 'coded.reason_code') }} as verdict,
        case coded.verdict_code
            when 'undetermined'
                then {{ reason_in_words('coded.reason_code', 'coded.joules_per_correct_reason') }}
            else format(
                '{:.3g} times the base''s energy per correct answer, 95 % interval {:.3g} to {:.3g} {} {:,} paired '
                'documents{}; {}',
                coded.joules_per_correct_ratio,
                coalesce(coded.joules_per_correct_ratio_low, coded.joules_per_correct_ratio_documents_low),
                coalesce(coded.joules_per_correct_ratio_high, coded.joules_per_correct_ratio_documents_high),
                case when coded.reason_code is null then 'from repetitions and' else 'from' end,
                coded.judged_documents,
                coalesce(
                    case coded.reason_code
                        when 'too_few_repetitions'
                            then ', without the spread of the energy (' || coded.energy_interval_reason || ')'
                    end,
                    ''
                ),
                coded.energy_method
            )
        end as verdict_reason,
        coded.documents as documents_paired,
        coded.is_complete,
        coded.documents_asked,
        coded.documents_total,
        coded.stop_reason,
        coded.base_score,
        coded.finetuned_score,
        coded.score_delta,
        coded.score_delta_low,
        coded.score_delta_high,
        coded.score_reason_code,
        coded.score_reason,
        coded.score_verdict_code,
        {{ in_words('coded.score_verdict_code') }} as score_verdict,
        {{ asked_in_words(
            'coded.stop_reason', 'coded.score_verdict_code', 'coded.documents_asked', 'coded.documents_total'
        ) }} as score_verdict_reason,
        coded.score_test,
        coded.score_p_value,
        coded.score_p_adjusted,
        coded.score_family,
        coded.score_margin,
        coded.score_interval_reason_code,
        coded.score_interval_reason,
        coded.full_delta_low,
        coded.full_delta_high,
        coded.base_energy_kwh,
        coded.finetuned_energy_kwh,
        coded.energy_ratio,
        coded.energy_ratio_low,
        coded.energy_ratio_high,
        coded.energy_interval_reason_code,
        coded.energy_interval_reason,
        coded.energy_verdict_code,
        {{ in_words('coded.energy_verdict_code') }} as energy_verdict,
        coded.energy_method,
        coded.base_tokens_out_per_request,
        coded.finetuned_tokens_out_per_request,
        coded.tokens_out_ratio,
        coded.tokens_out_ratio_low,
        coded.tokens_out_ratio_high,
        coded.tokens_interval_reason_code,
        coded.tokens_interval_reason,
        coded.base_joules_per_correct,
        coded.finetuned_joules_per_correct,
        coded.joules_per_correct_ratio,
        coded.joules_per_correct_ratio_low,
        coded.joules_per_correct_ratio_high,
        coded.joules_per_correct_ratio_documents_low,
        coded.joules_per_correct_ratio_documents_high,
        coded.joules_per_correct_reason_code,
        coded.joules_per_correct_reason,
        coded.energy_kwh_estimate,
        coded.energy_kwh_estimate_low,
        coded.energy_kwh_estimate_high,
        coded.joules_per_correct_estimate,
        coded.joules_per_correct_estimate_low,
        coded.joules_per_correct_estimate_high,
        coded.energy_repetitions,
        coded.is_until_precise,
        coded.is_lineage,
        {{ comparability_hash('coded.comparability_key') }} as comparability_hash
    from coded
    inner join models as base on coded.base_model_key = base.model_key
    inner join models as finetuned on coded.finetuned_model_key = finetuned.model_key
    left join suites
        on
            coded.whole_comparability_key = suites.comparability_key
            and coded.base_model_key = suites.model_key
)

select * from final
