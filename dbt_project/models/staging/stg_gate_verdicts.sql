with source as (
    select * from {{ source('raw', 'gate_verdicts') }}
),

renamed as (
    select
        gate_id,
        task,
        outcome,
        score_outcome,
        score_verdict,
        energy_outcome,
        energy_verdict,
        further_documents,
        further_repetitions,
        comparability_key,
        documents_asked,
        documents_total,
        stop_reason,
        score_delta,
        score_delta_low,
        score_delta_high,
        score_tested_by as score_test,
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
        energy_reason,
        decided_at
    from source
)

select * from renamed
