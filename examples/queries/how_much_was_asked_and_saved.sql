-- How much of each evaluation was asked, and what did it save?
-- Evaluations of which all was asked without a look at the answers are left out. Savings are estimates.
select
    model_id,
    suite,
    task,
    documents_asked,
    documents_total,
    stop_reason,
    100 * score as points,
    joules_saved,
    joules_saved_method,
    energy_estimate_reason
from marts.fct_task_evaluations
where not is_complete or stop_reason is not null
order by joules_saved desc nulls last, model_id, task
