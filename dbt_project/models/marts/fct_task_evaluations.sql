with complete as (
    select * from {{ ref('int_task_evaluations') }}
),

parts as (
    select * from {{ ref('int_part_evaluations') }}
),

stops as (
    select * from {{ ref('int_question_stops') }}
),

-- A complete evaluation that was looked at while it was asked has a stop, too.
evaluations as (
    select
        complete.*,
        true as is_complete,
        complete.n_documents as documents_asked,
        complete.n_documents as documents_total,
        stops.stop_reason,
        stops.score_test,
        case when stops.until = 'width' then stops.low end as full_score_low,
        case when stops.until = 'width' then stops.high end as full_score_high,
        0.0 as joules_saved,
        {{ joules('complete.energy_kwh') }} / nullif(complete.correct_answers, 0) as joules_per_correct
    from complete
    left join stops
        on
            complete.run_id = stops.run_id
            and complete.task = stops.task
            and complete.repetition = stops.repetition
    union all by name
    select
        parts.*,
        false as is_complete,
        case when stops.until = 'width' then stops.low end as full_score_low,
        case when stops.until = 'width' then stops.high end as full_score_high
    from parts
    left join stops
        on
            parts.stop_run_id = stops.run_id
            and parts.task = stops.task
            and parts.repetition = stops.repetition
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
        is_complete,
        documents_asked,
        documents_total,
        stop_reason,
        score_test,
        is_control,
        control_flag,
        metric,
        filter,
        score,
        score_stderr,
        score_low,
        score_high,
        full_score_low,
        full_score_high,
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
        joules_per_correct,
        energy_kwh_estimate,
        energy_kwh_estimate_low,
        energy_kwh_estimate_high,
        energy_estimate_reason,
        joules_per_correct_estimate,
        joules_per_correct_estimate_low,
        joules_per_correct_estimate_high,
        joules_per_correct_estimate_reason,
        joules_saved,
        case
            when is_complete then 'nothing: all documents were asked'
            when joules_saved is not null then 'as many joules of inference per document for those not asked'
        end as joules_saved_method,
        fingerprint,
        score_comparability_key,
        comparability_key,
        {{ comparability_hash('comparability_key') }} as comparability_hash
    from judged
)

select * from final
