-- How much each model writes, and the energy of a correct answer.
select
    comparability_key,
    suite,
    task,
    model_id as model,
    base_model_id as base,
    documents,
    tokens_out_per_request,
    tokens_out_per_request_low,
    tokens_out_per_request_high,
    joules_per_request,
    joules_per_correct,
    joules_per_correct_reason,
    score
from marts.mart_verbosity
where is_current
order by comparability_key, task, verbosity_rank, model_id
