with questions as (
    select * from {{ ref('int_part_questions') }}
),

runs as (
    select * from {{ ref('stg_evaluation_runs') }}
),

run_phases as (
    select * from {{ ref('int_run_phases') }}
),

calibrations as (
    select * from {{ ref('int_calibrations') }}
),

inference as (
    select * from {{ ref('int_part_energies') }}
),

methods as (
    select
        task,
        fingerprint,
        repetition,
        energy_method
    from inference
),

documents as (
    select
        task,
        fingerprint,
        repetition,
        count(*) filter (where correct) as correct_answers,
        sum(requests)::bigint as requests,
        sum(tokens_prompt)::bigint as tokens_prompt,
        sum(tokens_generated)::bigint as tokens_generated
    from {{ ref('int_part_documents') }}
    group by task, fingerprint, repetition
),

joined as (
    select
        questions.*,
        runs.suite,
        runs.suite_version,
        runs.machine_id,
        runs.engine_reason,
        runs.started_at as run_started_at,
        coalesce(runs.is_control, false) as is_control,
        runs.pue,
        runs.grid_intensity_g_per_kwh,
        run_phases.idle_power_w,
        calibrations.calibration_factor,
        inference.* exclude (task, fingerprint, repetition, requests, tokens_prompt, tokens_generated),
        documents.requests,
        documents.tokens_prompt,
        documents.tokens_generated,
        case when questions.is_binary then documents.correct_answers end as correct_answers,
        {{ setting() }} as setting
    from questions
    inner join runs on questions.run_id = runs.run_id
    inner join inference
        on
            questions.task = inference.task
            and questions.fingerprint = inference.fingerprint
            and questions.repetition = inference.repetition
    inner join methods
        on
            questions.task = methods.task
            and questions.fingerprint = methods.fingerprint
            and questions.repetition = methods.repetition
    inner join documents
        on
            questions.task = documents.task
            and questions.fingerprint = documents.fingerprint
            and questions.repetition = documents.repetition
    left join run_phases on questions.run_id = run_phases.run_id
    left join calibrations
        on
            runs.machine_id = calibrations.machine_id
            and runs.meter = calibrations.meter
            and inference.boundary = calibrations.boundary
            and methods.energy_method = calibrations.energy_method
),

-- Binary metrics are means of 0 and 1. Others may need all documents.
final as (
    select
        * exclude (gpu_doubts),
        case
            when not is_summed then 'no stop has summed the energies of its parts'
            else {{ uncounted_reason('energy_kwh', 'quality_flags') }}
        end as energy_reason,
        case
            when {{ has_gpu('boundary') }} then {{ uncounted_reason('gpu_energy_kwh', 'gpu_doubts') }}
            else 'no GPU in the boundary'
        end as gpu_energy_reason,
        energy_kwh - idle_power_w * duration_s / 3.6e6 as net_energy_kwh,
        {{ emissions_kg('energy_kwh', 'pue', 'grid_intensity_g_per_kwh') }} as emissions_kg,
        case when is_binary then correct_answers / documents_asked end as score_share,
        {{ comparability_key('setting', 'suite', 'suite_version') }} as whole_comparability_key
    from joined
)

select * from final
