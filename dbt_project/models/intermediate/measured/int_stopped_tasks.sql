with stops as (
    select
        *,
        unnest(map_entries(
            from_json(tasks_json, '"map(varchar, struct(fingerprint varchar, weight double))"')
        )) as judged,
        from_json(reference_json, '"map(varchar, struct(evaluation varchar, run_id varchar))"') as reference
    from {{ ref('stg_stops') }}
),

validity as (
    select * from {{ ref('int_run_validity') }}
    where invalid_reason is null
),

-- The newest run that landed a reference's evaluation, which may have been landed again since.
evaluated as (
    select
        bundle,
        arg_max(fingerprint, run_id) as fingerprint,
        max(run_id) as run_id,
        arg_max(repetition, run_id) as repetition
    from {{ ref('int_task_evaluations') }}
    where is_valid
    group by bundle
),

final as (
    select
        stops.run_id,
        stops.task as stopped_task,
        stops.repetition,
        stops.judged.key as task,
        stops.judged.value.fingerprint,
        stops.judged.value.weight,
        evaluated.fingerprint as reference_fingerprint,
        evaluated.run_id as reference_run_id,
        evaluated.repetition as reference_repetition
    from stops
    inner join validity on stops.run_id = validity.run_id
    left join evaluated on stops.reference[stops.judged.key].evaluation = evaluated.bundle
    -- The row of a suite's task is about that task alone.
    where stops.task in ('', stops.judged.key)
)

select * from final
