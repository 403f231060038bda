with questions as (
    select * from {{ ref('int_part_questions') }}
),

places as (
    select * from {{ ref('int_asked_places') }}
),

stops as (
    select * from {{ ref('int_question_stops') }}
    where scope = 'task' and is_newest
),

stopped as (
    select distinct
        run_id,
        task,
        repetition,
        fingerprint
    from {{ ref('int_stopped_tasks') }}
),

windows as (
    select * from {{ ref('stg_part_emissions') }}
    where phase = 'inference'
),

parts as (
    select distinct
        task,
        fingerprint,
        repetition,
        run_id,
        first_place,
        last_place + 1 - first_place as documents
    from places
),

-- A document's variance, from parts that are sums of unequally many documents: the squares of their means' distances to
-- the mean of all, weighted by their documents.
spread as (
    select
        parts.task,
        parts.fingerprint,
        parts.repetition,
        count(*) as parts,
        sum(windows.requests) as requests,
        bool_and({{ is_usable('windows.energy_kwh', 'windows.quality_flags') }}) as is_each_usable,
        greatest(
            sum(pow(windows.energy_kwh, 2) / parts.documents order by parts.first_place)
            - pow(sum(windows.energy_kwh order by parts.first_place), 2) / sum(parts.documents),
            0
        ) / nullif(count(*) - 1, 0) as document_variance
    from parts
    left join windows
        on
            parts.run_id = windows.run_id
            and parts.task = windows.task
            and parts.repetition = windows.repetition
            and parts.first_place = windows.first_place
    group by parts.task, parts.fingerprint, parts.repetition
),

sums as (
    select
        emissions.*,
        stopped.fingerprint,
        {{ energy_method() }} as energy_method
    from {{ ref('stg_task_emissions') }} as emissions
    inner join stopped
        on
            emissions.run_id = stopped.run_id
            and emissions.task = stopped.task
            and emissions.repetition = stopped.repetition
    where emissions.is_sum_of_parts
),

-- The newest sum of just these parts: not of fewer, and not of one that no longer counts.
summed as (
    select sums.*
    from sums
    inner join spread
        on
            sums.task = spread.task
            and sums.fingerprint = spread.fingerprint
            and sums.repetition = spread.repetition
            and sums.requests = spread.requests
    where sums.phase = 'inference'
    qualify row_number() over (partition by sums.task, sums.fingerprint, sums.repetition order by sums.run_id desc) = 1
),

final as (
    select
        questions.task,
        questions.fingerprint,
        questions.repetition,
        stops.run_id as stop_run_id,
        stops.stop_reason,
        stops.score_test,
        spread.parts,
        spread.is_each_usable,
        spread.document_variance,
        inference.run_id is not null as is_summed,
        inference.* exclude (
            run_id, task, fingerprint, repetition, phase, cpu_method, gpu_method, ram_method, energy_method, boundary,
            quality_note, is_sum_of_parts
        ),
        coalesce(inference.energy_method, 'none') as energy_method,
        coalesce(inference.boundary, 'none') as boundary,
        {{ gpu_doubts('inference') }} as gpu_doubts,
        {{ countable('scoring.energy_kwh', 'scoring.quality_flags') }} as scoring_energy_kwh
    from questions
    inner join spread
        on
            questions.task = spread.task
            and questions.fingerprint = spread.fingerprint
            and questions.repetition = spread.repetition
    -- A stop describes what is asked unless more was asked since, or a part no longer counts.
    left join stops
        on
            questions.fingerprint = stops.question
            and questions.repetition = stops.repetition
            and questions.documents_asked = stops.documents_asked
    left join summed as inference
        on
            questions.task = inference.task
            and questions.fingerprint = inference.fingerprint
            and questions.repetition = inference.repetition
    left join sums as scoring
        on
            inference.run_id = scoring.run_id
            and inference.task = scoring.task
            and inference.repetition = scoring.repetition
            and scoring.phase = 'scoring'
)

select * from final
