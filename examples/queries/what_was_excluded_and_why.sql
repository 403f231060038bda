-- What is left out of all figures, and why: excluded or incomplete runs, invalid task evaluations, doubtful energies?
select run_id, model_id, suite, '' as task, coalesce(excluded_reason, reason) as why
from marts.fct_evaluation_runs
where is_excluded or status != 'completed'
union all by name
select run_id, model_id, suite, task, coalesce(invalid_reason, 'its energy: ' || energy_reason) as why
from marts.fct_task_evaluations
where not is_valid or energy_reason is not null
order by run_id, task
