-- What changed since last night: score and energy of each task that was evaluated again, against the time before?
select
    model_id,
    task,
    started_at,
    score,
    score - lag(score) over earlier as score_change,
    energy_kwh / lag(energy_kwh) over earlier as energy_ratio,
    energy_reason
from marts.fct_task_evaluations
where is_valid
window earlier as (partition by model_id, task, comparability_key order by started_at)
qualify row_number() over (partition by model_id, task, comparability_key order by started_at desc) = 1
order by started_at desc
