-- What ran last night, how did it end, and how long did it take?
select
    started_at,
    model_id,
    suite,
    status,
    coalesce(reason, task_failures, engine_reason) as reason,
    duration_s,
    energy_kwh,
    energy_reason
from marts.fct_evaluation_runs
where night = (select max(night) from marts.fct_evaluation_runs)
order by started_at
