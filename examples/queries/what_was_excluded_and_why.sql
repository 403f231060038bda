-- What enters no figure, and why: runs that were excluded or did not complete, and task evaluations that are not valid?
select run_id, model_id, suite, '' as task, coalesce(excluded_reason, reason) as why
from marts.fct_evaluation_runs
where is_excluded or status != 'completed'
union all by name
select run_id, model_id, suite, task, invalid_reason as why
from marts.fct_task_evaluations
where not is_valid
order by run_id, task
