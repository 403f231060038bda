-- What changed since last night: points and energy of each task that was evaluated again, against the time before?
-- First evaluations come last, without a change. An energy in doubt is compared with nothing.
select
    model_id,
    task,
    started_at,
    100 * score as points,
    100 * (score - lag(score) over earlier) as points_change,
    if(energy_reason is null, energy_kwh, null)
    / lag(if(energy_reason is null, energy_kwh, null)) over earlier as energy_ratio,
    coalesce(energy_reason, 'the time before: ' || lag(energy_reason) over earlier) as energy_reason
from marts.fct_task_evaluations
where is_valid
window earlier as (partition by model_id, task, comparability_key order by started_at)
qualify row_number() over (partition by model_id, task, comparability_key order by started_at desc) = 1
order by points_change is null, started_at desc
