with results as (
    select * from {{ ref('int_task_scores') }}
),

runs as (
    select * from {{ ref('stg_evaluation_runs') }}
),

models as (
    select * from {{ ref('stg_models') }}
),

inference as (
    select * from {{ ref('stg_task_emissions') }}
    where phase = 'inference'
),

scoring as (
    select * from {{ ref('stg_task_emissions') }}
    where phase = 'scoring'
),

run_phases as (
    select * from {{ ref('int_run_phases') }}
),

validity as (
    select * from {{ ref('int_run_validity') }}
),

calibrations as (
    select * from {{ ref('int_calibrations') }}
),

documents as (
    select
        run_id,
        task,
        repetition,
        count(*) filter (where correct) as correct_answers,
        sum(characters_generated)::bigint as characters_generated,
        -- The squares show how much another sample of documents would change the sums.
        sum(pow(tokens_generated, 2)) as tokens_generated_squared,
        sum(pow(tokens_prompt + tokens_generated, 2)) as tokens_squared
    from {{ ref('int_documents') }}
    group by run_id, task, repetition
),

methods as (
    select
        run_id,
        task,
        repetition,
        {{ energy_method() }} as energy_method
    from inference
),

joined as (
    select
        results.run_id,
        results.task,
        results.repetition,
        results.bundle,
        results.fingerprint,
        results.score_comparability_key,
        runs.model_id,
        models.model_key,
        runs.suite,
        runs.suite_version,
        runs.machine_id,
        runs.engine_reason,
        runs.until_precise is not null as is_until_precise,
        runs.started_at as run_started_at,
        coalesce(runs.is_control, false) as is_control,
        inference.started_at,
        inference.ended_at,
        results.metric,
        results.filter,
        results.score,
        results.score_stderr,
        results.higher_is_better,
        results.scale,
        results.scale_reason as score_reason,
        results.score_share,
        results.score_normalised,
        results.is_binary,
        results.chance,
        results.n_documents,
        results.output_type = 'generate_until' as is_generative,
        results.num_fewshot,
        results.documents_limit,
        inference.energy_kwh,
        inference.gpu_energy_kwh,
        inference.duration_s,
        inference.quality_flags,
        {{ gpu_doubts('inference') }} as gpu_doubts,
        inference.requests,
        inference.tokens_prompt,
        inference.tokens_generated,
        inference.tokens_unshared,
        inference.tokens_computed,
        inference.tokens_padding,
        inference.tokens_shared,
        inference.tokens_distinct,
        inference.own_cpu_s,
        inference.foreign_cpu_s,
        inference.foreign_programs,
        run_phases.idle_power_w,
        calibrations.calibration_factor,
        runs.pue,
        runs.grid_intensity_g_per_kwh,
        scoring.duration_s as scoring_duration_s,
        case when results.is_binary then documents.correct_answers end as correct_answers,
        documents.characters_generated,
        documents.tokens_generated_squared,
        documents.tokens_squared,
        coalesce(inference.boundary, 'none') as boundary,
        coalesce(methods.energy_method, 'none') as energy_method,
        {{ countable('scoring.energy_kwh', 'scoring.quality_flags') }} as scoring_energy_kwh,
        case when runs.run_id is null then 'the run has no end' else validity.invalid_reason end as invalid_reason,
        {{ setting() }} as setting
    from results
    left join runs on results.run_id = runs.run_id
    left join models on results.run_id = models.run_id
    left join run_phases on results.run_id = run_phases.run_id
    left join inference
        on
            results.run_id = inference.run_id
            and results.task = inference.task
            and results.repetition = inference.repetition
    left join methods
        on
            results.run_id = methods.run_id
            and results.task = methods.task
            and results.repetition = methods.repetition
    left join validity on results.run_id = validity.run_id
    left join calibrations
        on
            runs.machine_id = calibrations.machine_id
            and runs.meter = calibrations.meter
            and inference.boundary = calibrations.boundary
            and methods.energy_method = calibrations.energy_method
    left join scoring
        on
            results.run_id = scoring.run_id
            and results.task = scoring.task
            and results.repetition = scoring.repetition
    left join documents
        on
            results.run_id = documents.run_id
            and results.task = documents.task
            and results.repetition = documents.repetition
),

final as (
    select
        * exclude (gpu_doubts),
        {{ uncounted_reason('energy_kwh', 'quality_flags') }} as energy_reason,
        case
            when {{ has_gpu('boundary') }} then {{ uncounted_reason('gpu_energy_kwh', 'gpu_doubts') }}
            else 'no GPU in the boundary'
        end as gpu_energy_reason,
        {{ score_bound('-') }} as score_low,
        {{ score_bound('+') }} as score_high,
        energy_kwh - idle_power_w * duration_s / 3.6e6 as net_energy_kwh,
        {{ emissions_kg('energy_kwh', 'pue', 'grid_intensity_g_per_kwh') }} as emissions_kg,
        invalid_reason is null as is_valid,
        {{ comparability_key('setting', 'suite', 'suite_version') }} as comparability_key
    from joined
)

select * from final
