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

sums as (
    select
        *,
        {{ energy_method() }} as energy_method
    from {{ ref('stg_task_emissions') }}
    where is_sum_of_parts
),

windows as (
    select * from {{ ref('stg_part_emissions') }}
    where phase = 'inference'
),

runs as (
    select
        run_id,
        {{ run_setting() }} as setting
    from {{ ref('stg_evaluation_runs') }} as runs
),

-- A stop describes what is asked unless more was asked since, or a run of which a part counted is excluded.
stopped as (
    select
        questions.*,
        stops.run_id as stop_run_id,
        stops.stop_reason,
        stops.score_test
    from questions
    left join stops
        on
            questions.fingerprint = stops.question
            and questions.repetition = stops.repetition
            and questions.documents_asked = stops.documents_asked
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

metered as (
    select
        parts.*,
        runs.setting,
        windows.energy_kwh,
        {{ is_usable('windows.energy_kwh', 'windows.quality_flags') }} as is_usable
    from parts
    inner join runs on parts.run_id = runs.run_id
    left join windows
        on
            parts.run_id = windows.run_id
            and parts.task = windows.task
            and parts.repetition = windows.repetition
            and parts.first_place = windows.first_place
),

-- A document's variance, from parts that are sums of unequally many documents: the squares of their means' distances to
-- the mean of all, weighted by their documents.
spread as (
    select
        task,
        fingerprint,
        repetition,
        count(*) as parts,
        bool_and(is_usable) as is_each_usable,
        count(distinct setting) = 1 as is_one_setting,
        greatest(
            sum(pow(energy_kwh, 2) / documents order by first_place)
            - pow(sum(energy_kwh order by first_place), 2) / sum(documents),
            0
        ) / nullif(count(*) - 1, 0) as document_variance
    from metered
    group by task, fingerprint, repetition
),

final as (
    select
        stopped.task,
        stopped.fingerprint,
        stopped.repetition,
        stopped.stop_run_id,
        stopped.stop_reason,
        stopped.score_test,
        spread.parts,
        spread.is_each_usable,
        spread.is_one_setting,
        spread.document_variance,
        inference.* exclude (
            run_id, task, repetition, phase, cpu_method, gpu_method, ram_method, energy_method, boundary, quality_note,
            is_sum_of_parts
        ),
        coalesce(inference.energy_method, 'none') as energy_method,
        coalesce(inference.boundary, 'none') as boundary,
        {{ gpu_doubts('inference') }} as gpu_doubts,
        {{ countable('scoring.energy_kwh', 'scoring.quality_flags') }} as scoring_energy_kwh
    from stopped
    inner join spread
        on
            stopped.task = spread.task
            and stopped.fingerprint = spread.fingerprint
            and stopped.repetition = spread.repetition
    left join sums as inference
        on
            stopped.stop_run_id = inference.run_id
            and stopped.task = inference.task
            and stopped.repetition = inference.repetition
            and inference.phase = 'inference'
    left join sums as scoring
        on
            stopped.stop_run_id = scoring.run_id
            and stopped.task = scoring.task
            and stopped.repetition = scoring.repetition
            and scoring.phase = 'scoring'
)

select * from final
