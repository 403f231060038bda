with evaluations as (
    select * from {{ ref('int_latest_evaluations') }}
    where is_planned
),

run_phases as (
    select * from {{ ref('int_run_phases') }}
),

task_phases as (
    select
        comparability_key,
        model_key,
        sum({{ countable('energy_kwh', 'quality_flags') }} order by task, repetition) as inference_kwh,
        sum(scoring_energy_kwh order by task, repetition) as scoring_kwh,
        count(*) = count({{ countable('energy_kwh', 'quality_flags') }}) as is_complete,
        sum(duration_s + coalesce(scoring_duration_s, 0) order by task, repetition) as duration_s,
        sum(
            duration_s + case when scoring_energy_kwh is null then 0 else scoring_duration_s end
            order by task, repetition
        ) as metered_s
    from evaluations
    group by comparability_key, model_key
),

runs as (
    select distinct
        comparability_key,
        model_key,
        run_id
    from evaluations
),

whole_runs as (
    select
        runs.comparability_key,
        runs.model_key,
        sum(run_phases.idle_energy_kwh order by runs.run_id) as idle_kwh,
        sum(run_phases.load_energy_kwh order by runs.run_id) as load_kwh,
        sum(run_phases.warmup_energy_kwh order by runs.run_id) as warmup_kwh,
        count(*) = count(run_phases.load_energy_kwh + run_phases.warmup_energy_kwh) as is_complete,
        sum(run_phases.duration_s order by runs.run_id) as duration_s,
        sum(run_phases.metered_s order by runs.run_id) as metered_s
    from runs
    left join run_phases on runs.run_id = run_phases.run_id
    group by runs.comparability_key, runs.model_key
),

totals as (
    select
        task_phases.comparability_key,
        task_phases.model_key,
        task_phases.inference_kwh,
        task_phases.scoring_kwh,
        whole_runs.idle_kwh,
        whole_runs.load_kwh,
        whole_runs.warmup_kwh,
        -- Missing scoring and idle windows are usually a small part; their time shows how small.
        case
            when task_phases.is_complete and whole_runs.is_complete
                then nullif(
                    task_phases.inference_kwh + coalesce(task_phases.scoring_kwh, 0)
                    + coalesce(whole_runs.idle_kwh, 0) + whole_runs.load_kwh + whole_runs.warmup_kwh,
                    0
                )
        end as total_kwh,
        (task_phases.metered_s + whole_runs.metered_s)
        / nullif(task_phases.duration_s + whole_runs.duration_s, 0) as metered_time_share
    from task_phases
    inner join whole_runs
        on
            task_phases.comparability_key = whole_runs.comparability_key
            and task_phases.model_key = whole_runs.model_key
),

shares as (
    select
        comparability_key,
        model_key,
        inference_kwh / total_kwh as inference_share,
        scoring_kwh / total_kwh as scoring_share,
        idle_kwh / total_kwh as idle_share,
        load_kwh / total_kwh as load_share,
        warmup_kwh / total_kwh as warmup_share,
        case when total_kwh is not null then metered_time_share end as known_time_share
    from totals
)

select * from shares
