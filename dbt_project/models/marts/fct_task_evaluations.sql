with evaluations as (
    select * from {{ ref('int_task_evaluations') }}
),

control as (
    select * from {{ ref('int_control_nights') }}
),

judged as (
    select
        evaluations.*,
        {{ control_flag() }} as control_flag
    from evaluations
    left join control
        on
            evaluations.machine_id = control.machine_id
            and (evaluations.run_started_at at time zone 'UTC')::date = control.night
),

final as (
    select
        run_id,
        task,
        repetition,
        'measured' as basis,
        model_key,
        model_id,
        suite,
        suite_version,
        machine_id,
        engine_reason,
        started_at,
        ended_at,
        is_valid,
        invalid_reason,
        is_control,
        control_flag,
        metric,
        filter,
        score,
        score_stderr,
        score_low,
        score_high,
        score_normalised,
        score_reason,
        higher_is_better,
        scale,
        is_binary,
        chance,
        n_documents,
        correct_answers,
        num_fewshot,
        documents_limit,
        duration_s,
        energy_kwh,
        net_energy_kwh,
        gpu_energy_kwh,
        scoring_energy_kwh,
        calibration_factor,
        calibration_factor * energy_kwh as calibrated_energy_kwh,
        energy_method,
        boundary,
        own_cpu_s,
        foreign_cpu_s,
        foreign_programs,
        quality_flags,
        energy_reason,
        gpu_energy_reason,
        pue,
        grid_intensity_g_per_kwh,
        emissions_kg,
        requests,
        tokens_prompt,
        tokens_generated,
        tokens_unshared,
        tokens_computed,
        tokens_padding,
        tokens_shared,
        tokens_distinct,
        {{ joules('energy_kwh') }} / nullif(tokens_prompt + tokens_generated, 0) as joules_per_token,
        {{ joules('energy_kwh') }} / nullif(tokens_computed, 0) as joules_per_token_computed,
        {{ joules('energy_kwh') }} / nullif(requests, 0) as joules_per_request,
        {{ joules('energy_kwh') }} / nullif(correct_answers, 0) as joules_per_correct,
        fingerprint,
        score_comparability_key,
        comparability_key,
        {{ comparability_hash('comparability_key') }} as comparability_hash
    from judged
)

select * from final
