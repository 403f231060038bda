-- What changed since last night: points and energy of each task that was evaluated again, against the time before?
-- What was evaluated for the first time comes last, without a change. An energy in doubt is compared with nothing.
with evaluations as (
    select
        model_id,
        task,
        comparability_key,
        started_at,
        100 * score as points,
        case when energy_reason is null then energy_kwh end as energy_kwh,
        energy_reason
    from marts.fct_task_evaluations
    where is_valid
)

select
    model_id,
    task,
    started_at,
    points,
    points - lag(points) over earlier as points_change,
    energy_kwh / lag(energy_kwh) over earlier as energy_ratio,
    coalesce(energy_reason, 'the time before: ' || lag(energy_reason) over earlier) as energy_reason
from evaluations
window earlier as (partition by model_id, task, comparability_key order by started_at)
qualify row_number() over (partition by model_id, task, comparability_key order by started_at desc) = 1
order by points_change is null, started_at desc
