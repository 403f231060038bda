-- The energy of every night by phase, and whether the control workload was steady. A sum is NULL if the energy of one
-- of its windows is not known; `known` sums the others.
with methods as (
    select
        night,
        machine_id,
        model_id,
        string_agg(distinct energy_method, '; ' order by energy_method) as energy_methods
    from marts.fct_evaluation_runs
    where not is_excluded and energy_method != 'none' -- a run that metered nothing adds nothing
    group by night, machine_id, model_id
)

select
    nights.night,
    nights.machine_id as machine,
    nights.model_id as model,
    nights.runs,
    nights.runs_excluded,
    nights.idle_kwh,
    nights.load_kwh,
    nights.warmup_kwh,
    nights.inference_kwh,
    nights.scoring_kwh,
    nights.energy_kwh,
    nights.emissions_kg,
    nights.idle_known_kwh,
    nights.load_known_kwh,
    nights.warmup_known_kwh,
    nights.inference_known_kwh,
    nights.scoring_known_kwh,
    nights.energy_known_kwh,
    nights.emissions_known_kg,
    nights.idle_windows_without_energy,
    nights.load_windows_without_energy,
    nights.warmup_windows_without_energy,
    nights.inference_windows_without_energy,
    nights.scoring_windows_without_energy,
    nights.duration_without_energy_s,
    nights.energy_reason,
    methods.energy_methods,
    nights.control_flag,
    nights.control_reason
from marts.mart_emissions_history as nights
left join methods
    on
        nights.night = methods.night
        and nights.machine_id = methods.machine_id
        and nights.model_id = methods.model_id
order by nights.night, nights.machine_id, nights.model_id, nights.model_key
