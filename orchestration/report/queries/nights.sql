-- What every night took, by phase, and whether the control workload was steady.
select
    night,
    machine_id as machine,
    model_id as model,
    runs,
    runs_excluded,
    idle_kwh,
    load_kwh,
    warmup_kwh,
    inference_kwh,
    scoring_kwh,
    energy_kwh,
    emissions_kg,
    energy_reason,
    control_flag,
    control_reason
from marts.mart_emissions_history
order by night, machine, model
