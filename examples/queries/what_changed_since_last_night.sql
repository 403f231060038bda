-- What changed since last night: points and energy of each re-evaluated task compared with its previous run?
-- Repetitions are averaged. First evaluations come last. Energies in doubt are not compared.
with runs as (
    select
        model_id, task, comparability_key, run_id, min(started_at) as started_at, 100 * avg(score) as points,
        avg(energy_kwh) filter (where energy_reason is null) as energy_kwh, max(energy_reason) as doubt
    from marts.fct_task_evaluations
    where is_valid
    group by model_id, task, comparability_key, run_id
)

select
    model_id, task, started_at, points, points - lag(points) over earlier as points_change,
    energy_kwh / lag(energy_kwh) over earlier as energy_ratio,
    coalesce(if(energy_kwh is null, doubt, null), 'the time before: ' || lag(if(energy_kwh is null, doubt, null)) over earlier)
        as energy_reason
from runs
window earlier as (partition by model_id, task, comparability_key order by started_at)
qualify row_number() over (partition by model_id, task, comparability_key order by started_at desc) = 1
order by points_change is null, started_at desc
