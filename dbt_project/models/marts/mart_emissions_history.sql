with runs as (
    select * from {{ ref('stg_evaluation_runs') }}
),

models as (
    select * from {{ ref('stg_models') }}
),

excluded as (
    select * from {{ ref('int_excluded_runs') }}
),

calibrations as (
    select * from {{ ref('int_calibrations') }}
),

control as (
    select * from {{ ref('int_control_nights') }}
),

windows as (
    select
        *,
        {{ countable('energy_kwh', 'quality_flags') }} as countable_kwh,
        {{ energy_method() }} as energy_method
    from {{ ref('stg_task_emissions') }}
),

booked as (
    select
        (runs.started_at at time zone 'UTC')::date as night,
        runs.machine_id,
        models.model_key,
        models.model_id,
        runs.run_id,
        windows.phase,
        windows.countable_kwh as energy_kwh,
        calibrations.calibration_factor,
        {{ emissions_kg('windows.countable_kwh', 'runs.pue', 'runs.grid_intensity_g_per_kwh') }} as emissions_kg,
        excluded.run_id is not null as is_excluded,
        case
            when excluded.run_id is null and windows.countable_kwh is null
                then
                    windows.phase || case when windows.task = '' then '' else ' of ' || windows.task end
                    || ': ' || coalesce('flagged ' || windows.quality_flags, 'not metered')
        end as reason
    from windows
    inner join runs on windows.run_id = runs.run_id
    inner join models on windows.run_id = models.run_id
    left join excluded on windows.run_id = excluded.run_id
    left join calibrations
        on
            runs.machine_id = calibrations.machine_id
            and runs.meter = calibrations.meter
            and windows.boundary = calibrations.boundary
            and windows.energy_method = calibrations.energy_method
),

nights as (
    select
        night,
        machine_id,
        model_key,
        max(model_id) as model_id,
        count(distinct run_id) as runs,
        count(distinct run_id) filter (where is_excluded) as runs_excluded,
        {% for phase in ['idle', 'load', 'warmup', 'inference', 'scoring'] %}
            {{ whole_sum('energy_kwh', "phase = '" ~ phase ~ "' and not is_excluded") }} as {{ phase }}_kwh,
        {% endfor %}
        {{ whole_sum('energy_kwh', 'not is_excluded') }} as energy_kwh,
        {{ whole_sum('energy_kwh * calibration_factor', 'not is_excluded') }} as calibrated_energy_kwh,
        {{ whole_sum('emissions_kg', 'not is_excluded') }} as emissions_kg,
        case
            when bool_and(is_excluded) then 'every run is excluded'
            else string_agg(distinct reason, '; ' order by reason)
        end as energy_reason
    from booked
    group by night, machine_id, model_key
),

final as (
    select
        nights.night,
        nights.machine_id,
        nights.model_key,
        nights.model_id,
        nights.runs,
        nights.runs_excluded,
        nights.idle_kwh,
        nights.load_kwh,
        nights.warmup_kwh,
        nights.inference_kwh,
        nights.scoring_kwh,
        nights.energy_kwh,
        nights.calibrated_energy_kwh,
        nights.emissions_kg,
        nights.energy_reason,
        coalesce(control.control_flag, 'no control') as control_flag,
        coalesce(control.control_reason, 'the control workload did not run here on this night') as control_reason
    from nights
    left join control on nights.machine_id = control.machine_id and nights.night = control.night
)

select * from final
