with runs as (
    select * from {{ ref('stg_evaluation_runs') }}
),

excluded as (
    select * from {{ ref('int_excluded_runs') }}
),

control as (
    select * from {{ ref('int_control_nights') }}
),

windows as (
    select * from {{ ref('int_metered_windows') }}
),

phases as (
    select
        run_id,
        {% for phase in phases().split(', ') %}
            {{ whole_sum('energy_kwh', "phase = '" ~ phase ~ "'") }} as {{ phase }}_kwh,
        {% endfor %}
        {{ whole_sum('energy_kwh', 'true') }} as energy_kwh,
        {{ whole_sum('calibrated_energy_kwh', 'true') }} as calibrated_energy_kwh,
        {{ whole_sum('emissions_kg', 'true') }} as emissions_kg,
        string_agg(distinct energy_method, '; ' order by energy_method) as energy_method,
        string_agg(distinct boundary, '; ' order by boundary) as boundary,
        string_agg(distinct energy_reason, '; ' order by energy_reason) as energy_reason
    from windows
    group by run_id
),

failed_tasks as (
    select
        run_id,
        unnest(map_entries(task_failures_json::json::map(varchar, varchar))) as failure -- noqa: LT01
    from runs
),

failures as (
    select
        run_id,
        string_agg(failure.key || ': ' || failure.value, '; ' order by failure.key) as task_failures
    from failed_tasks
    group by run_id
),

final as (
    select
        runs.run_id,
        'measured' as basis,
        (runs.started_at at time zone 'UTC')::date as night,
        runs.machine_id,
        runs.model_key,
        runs.model_id,
        runs.suite,
        runs.suite_version,
        runs.status,
        runs.reason,
        excluded.run_id is not null as is_excluded,
        excluded.excluded_reason,
        runs.started_at,
        runs.ended_at,
        runs.duration_s,
        runs.tasks_planned,
        runs.tasks_evaluated,
        runs.tasks_reused,
        runs.tasks_failed,
        failures.task_failures,
        runs.is_control,
        runs.order_position,
        runs.until_precise,
        {{ control_flag() }} as control_flag,
        phases.idle_kwh,
        phases.load_kwh,
        phases.warmup_kwh,
        phases.inference_kwh,
        phases.scoring_kwh,
        phases.energy_kwh,
        phases.calibrated_energy_kwh,
        coalesce(phases.energy_method, 'none') as energy_method,
        phases.boundary,
        coalesce(phases.energy_reason, case when phases.run_id is null then 'nothing was metered' end) as energy_reason,
        runs.pue,
        runs.grid_intensity_g_per_kwh,
        phases.emissions_kg,
        runs.device_name,
        runs.dtype,
        runs.engine,
        runs.engine_reason,
        runs.engine_version,
        runs.batch_policy,
        runs.threads,
        runs.thread_policy,
        runs.meter,
        runs.harness_version,
        runs.project_git_sha
    from runs
    left join excluded on runs.run_id = excluded.run_id
    left join phases on runs.run_id = phases.run_id
    left join failures on runs.run_id = failures.run_id
    left join control
        on
            runs.machine_id = control.machine_id
            and (runs.started_at at time zone 'UTC')::date = control.night
)

select * from final
