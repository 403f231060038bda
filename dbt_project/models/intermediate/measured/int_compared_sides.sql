with statistics as (
    select * from {{ ref('int_paired_statistics') }}
),

sides as (
    select * from {{ ref('int_pair_sides') }}
),

-- A question that was looked at while it was asked keeps the test that allows for it, also once it is complete.
stops as (
    select * from {{ ref('int_question_stops') }}
    where is_test_of_pair
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
        true as is_complete,
        finetuned.n_documents as documents_asked,
        finetuned.n_documents as documents_total,
        stops.stop_reason,
        stops.verdict_code as stop_verdict_code,
        stops.score_test as stop_score_test,
        stops.p_value as stop_p_value,
        stops.low as stop_low,
        stops.high as stop_high,
        stops.margin_points as stop_margin,
        stops.full_low as full_delta_low,
        stops.full_high as full_delta_high,
        least(base.energy_repetitions, finetuned.energy_repetitions) as energy_repetitions,
        base.is_until_precise or finetuned.is_until_precise as is_until_precise,
        base.energy_variance / nullif(pow(base.energy_kwh, 2), 0)
        + finetuned.energy_variance / nullif(pow(finetuned.energy_kwh, 2), 0) as energy_log_variance,
        base.correct_energy_variance + finetuned.correct_energy_variance as correct_energy_log_variance,
        {{ reason_of_sides('score_reason') }} as side_score_reason,
        coalesce({{ reason_of_sides('energy_reason') }}, {{ reason_of_sides('energy_interval_reason') }})
            as energy_interval_reason,
        case
            when coalesce(base.energy_reason, finetuned.energy_reason) is not null then 'energy_not_known'
            when coalesce(base.energy_interval_reason, finetuned.energy_interval_reason) is not null
                then 'too_few_repetitions'
        end as energy_interval_reason_code,
        coalesce(
            'base: ' || base.joules_per_correct_reason, 'fine-tuned: ' || finetuned.joules_per_correct_reason
        ) as side_correct_reason,
        coalesce(base.joules_per_correct_reason_code, finetuned.joules_per_correct_reason_code)
            as side_correct_reason_code
    from statistics
    inner join sides as base
        on
            statistics.comparability_key = base.comparability_key
            and statistics.base_model_key = base.model_key
            and base.paired_with in ('', statistics.finetuned_model_key)
            and statistics.scope = base.scope
            and statistics.task = base.task
    inner join sides as finetuned
        on
            statistics.comparability_key = finetuned.comparability_key
            and statistics.finetuned_model_key = finetuned.model_key
            and finetuned.paired_with in ('', statistics.base_model_key)
            and statistics.scope = finetuned.scope
            and statistics.task = finetuned.task
    left join stops
        on
            statistics.scope = stops.scope
            and finetuned.question = stops.question
            and base.question = stops.reference_question
),

coded as (
    select
        *,
        case
            when not is_same_question then 'asked_differently'
            when side_score_reason is not null then 'score_not_known'
        end as score_reason_code,
        case
            when not is_same_question then 'asked_differently'
            -- A metric can be tested even if its scale is unknown.
            when scope != 'task' and side_score_reason is not null then 'score_not_known'
            when not has_difference then 'no_mean_over_documents'
            when not is_paired then 'different_documents'
            when scope != 'task' and is_clipped then 'at_or_below_chance'
        end as score_test_reason_code,
        case
            when is_counted is null then 'nothing_is_generated'
            when not is_counted then 'different_documents'
            when coalesce(tokens_ratio, 0) = 0 then 'one_generated_nothing'
        end as tokens_interval_reason_code,
        coalesce(
            side_correct_reason_code, case when not coalesce(is_judged, false) then 'different_documents' end
        ) as joules_per_correct_reason_code
    from compared
),

final as (
    select
        * exclude (side_score_reason, side_correct_reason, side_correct_reason_code),
        case score_reason_code
            when 'asked_differently' then 'asked differently: few-shot, limit, chat template or version of a task'
            else side_score_reason
        end as score_reason,
        {{ reason_in_words('score_test_reason_code', 'side_score_reason') }} as score_test_reason,
        {{ reason_in_words('tokens_interval_reason_code') }} as tokens_interval_reason,
        {{ reason_in_words('joules_per_correct_reason_code', 'side_correct_reason') }} as joules_per_correct_reason
    from coded
)

select * from final
