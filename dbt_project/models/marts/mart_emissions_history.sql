with runs as (
    select * from {{ ref('stg_evaluation_runs') }}
),

models as (
    select * from {{ ref('stg_models') }}
),

control as (
    select * from {{ ref('int_control_nights') }}
),

windows as (
    select * from {{ ref('int_metered_windows') }}
),

booked as (
    select
        (runs.started_at at time zone 'UTC')::date as night,
        runs.machine_id,
        models.model_key,
        models.model_id,
        windows.*
    from windows
    inner join runs on windows.run_id = runs.run_id
    inner join models on windows.run_id = models.run_id
),

nights as (
    select
        night,
        machine_id,
        model_key,
        max(model_id) as model_id,
        count(distinct run_id) as runs,
        count(distinct run_id) filter (where is_excluded) as runs_excluded,
        {% for phase in phases().split(', ') %}
            {%- set of_phase = "phase = '" ~ phase ~ "' and not is_excluded" %}
            {{ whole_sum('energy_kwh', of_phase) }} as {{ phase }}_kwh,
            {{ known_sum('energy_kwh', of_phase) }} as {{ phase }}_known_kwh,
            count(*) filter (where {{ of_phase }} and energy_kwh is null) as {{ phase }}_windows_without_energy,
        {% endfor %}
        {{ whole_sum('energy_kwh', 'not is_excluded') }} as energy_kwh,
        {{ whole_sum('calibrated_energy_kwh', 'not is_excluded') }} as calibrated_energy_kwh,
        {{ whole_sum('emissions_kg', 'not is_excluded') }} as emissions_kg,
        {{ known_sum('energy_kwh', 'not is_excluded') }} as energy_known_kwh,
        {{ known_sum('emissions_kg', 'not is_excluded') }} as emissions_known_kg,
        coalesce({{ known_sum('duration_s', 'not is_excluded') }}, 0) as duration_s,
        coalesce({{ known_sum('duration_s', 'not is_excluded and energy_kwh is null') }}, 0)
            as duration_without_energy_s,
        case
            when bool_and(is_excluded) then 'every run is excluded'
            else string_agg(distinct energy_reason, '; ' order by energy_reason) filter (where not is_excluded)
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
        {% for figure in ['kwh', 'known_kwh', 'windows_without_energy'] %}
            {% for phase in phases().split(', ') %}
                nights.{{ phase }}_{{ figure }},
            {% endfor %}
        {% endfor %}
        nights.duration_s,
        nights.duration_without_energy_s,
        nights.energy_kwh,
        nights.energy_known_kwh,
        nights.calibrated_energy_kwh,
        nights.emissions_kg,
        nights.emissions_known_kg,
        nights.energy_reason,
        {{ control_flag() }} as control_flag,
        coalesce(control.control_reason, 'the control workload did not run here on this night') as control_reason
    from nights
    left join control on nights.machine_id = control.machine_id and nights.night = control.night
)

select * from final
