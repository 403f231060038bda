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
        count(*) = count({{ countable('energy_kwh', 'quality_flags') }})
        and count(*) = count(scoring_energy_kwh) as is_complete
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
        count(*) = count(
            run_phases.idle_energy_kwh + run_phases.load_energy_kwh + run_phases.warmup_energy_kwh
        ) as is_complete
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
        case
            when task_phases.is_complete and whole_runs.is_complete
                then nullif(
                    task_phases.inference_kwh + task_phases.scoring_kwh
                    + whole_runs.idle_kwh + whole_runs.load_kwh + whole_runs.warmup_kwh,
                    0
                )
        end as total_kwh
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
        warmup_kwh / total_kwh as warmup_share
    from totals
)

select * from shares
