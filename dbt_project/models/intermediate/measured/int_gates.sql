with gates as (
    select * from {{ ref('stg_gates') }}
),

verdicts as (
    select * from {{ ref('stg_gate_verdicts') }}
),

deltas as (
    select * from {{ ref('int_measured_deltas') }}
    where scope in ('task', 'suite')
),

models as (
    select * from {{ ref('int_compared_models') }}
),

-- A pair may be measured in several settings: the one in which the candidate was evaluated last counts.
newest_deltas as (
    select
        deltas.base_model_key,
        deltas.finetuned_model_key,
        deltas.suite,
        deltas.task,
        deltas.comparability_key,
        deltas.documents_asked,
        deltas.documents_total,
        deltas.stop_reason,
        deltas.score_delta,
        deltas.score_delta_low,
        deltas.score_delta_high,
        deltas.score_test,
        deltas.score_p_value,
        case
            when deltas.stop_reason is not null and deltas.score_verdict_code = 'equivalent' then deltas.score_margin
        end as score_equivalent_within,
        {{ reason_of_a_gate('coalesce(deltas.score_reason, deltas.score_interval_reason)') }} as score_reason,
        deltas.joules_per_correct_ratio,
        deltas.joules_per_correct_ratio_low,
        deltas.joules_per_correct_ratio_high,
        deltas.joules_per_correct_ratio_documents_low,
        deltas.joules_per_correct_ratio_documents_high,
        deltas.joules_per_correct_estimate / nullif(deltas.base_joules_per_correct, 0)
            as joules_per_correct_ratio_estimate,
        deltas.energy_kwh_estimate / nullif(deltas.base_energy_kwh, 0) as energy_ratio_estimate,
        deltas.energy_repetitions,
        deltas.is_until_precise,
        case deltas.reason_code
            when 'too_few_repetitions' then {{ reason_of_a_gate('deltas.energy_interval_reason') }}
            else {{ reason_in_words('deltas.reason_code', reason_of_a_gate('deltas.joules_per_correct_reason')) }}
        end as energy_reason
    from deltas
    left join models
        on
            deltas.comparability_key = models.comparability_key
            and deltas.finetuned_model_key = models.model_key
    qualify row_number() over (
        partition by deltas.base_model_key, deltas.finetuned_model_key, deltas.suite, deltas.task
        order by
            deltas.as_of desc, deltas.is_complete desc, models.run_started_at desc nulls last,
            deltas.comparability_key asc
    ) = 1
),

-- What a gate was decided by is what it was then; until it is decided, what is known now.
figures as (
    select
        gate_id,
        task,
        comparability_key,
        documents_asked,
        documents_total,
        stop_reason,
        score_delta,
        score_delta_low,
        score_delta_high,
        score_test,
        score_p_value,
        score_equivalent_within,
        score_reason,
        joules_per_correct_ratio,
        joules_per_correct_ratio_low,
        joules_per_correct_ratio_high,
        joules_per_correct_ratio_documents_low,
        joules_per_correct_ratio_documents_high,
        joules_per_correct_ratio_estimate,
        energy_ratio_estimate,
        energy_repetitions,
        is_until_precise,
        energy_reason
    from verdicts
    union all
    select
        gates.gate_id,
        gates.task,
        newest_deltas.comparability_key,
        newest_deltas.documents_asked,
        newest_deltas.documents_total,
        newest_deltas.stop_reason,
        newest_deltas.score_delta,
        newest_deltas.score_delta_low,
        newest_deltas.score_delta_high,
        newest_deltas.score_test,
        newest_deltas.score_p_value,
        newest_deltas.score_equivalent_within,
        newest_deltas.score_reason,
        newest_deltas.joules_per_correct_ratio,
        newest_deltas.joules_per_correct_ratio_low,
        newest_deltas.joules_per_correct_ratio_high,
        newest_deltas.joules_per_correct_ratio_documents_low,
        newest_deltas.joules_per_correct_ratio_documents_high,
        newest_deltas.joules_per_correct_ratio_estimate,
        newest_deltas.energy_ratio_estimate,
        newest_deltas.energy_repetitions,
        newest_deltas.is_until_precise,
        newest_deltas.energy_reason
    from gates
    left join newest_deltas
        on
            gates.reference_model_key = newest_deltas.base_model_key
            and gates.candidate_model_key = newest_deltas.finetuned_model_key
            and gates.suite = newest_deltas.suite
            and gates.task = newest_deltas.task
    where gates.gate_id not in (select verdicts.gate_id from verdicts)
),

final as (
    select
        gates.*,
        figures.* exclude (gate_id, task),
        verdicts.outcome,
        verdicts.score_outcome,
        verdicts.score_verdict,
        verdicts.energy_outcome,
        verdicts.energy_verdict,
        verdicts.further_documents,
        verdicts.further_repetitions,
        verdicts.decided_at
    from gates
    inner join figures on gates.gate_id = figures.gate_id and gates.task = figures.task
    left join verdicts on gates.gate_id = verdicts.gate_id and gates.task = verdicts.task
)

select * from final
