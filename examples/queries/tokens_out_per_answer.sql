-- How much does each model write per answer, and what does that cost?
select
    task,
    model_id,
    tokens_out_per_request,
    tokens_out_per_request_low,
    tokens_out_per_request_high,
    joules_per_request,
    joules_per_correct
from marts.mart_verbosity
where is_current
order by task, comparability_key, verbosity_rank
