-- On which tasks is our fine-tune better or worse than its base, and is the difference more than chance?
select
    finetuned_model_id,
    task,
    score_delta,
    score_delta_low,
    score_delta_high,
    score_p_adjusted,
    score_verdict,
    score_verdict_reason
from marts.mart_base_vs_finetuned_deltas
where scope = 'task' and basis = 'measured'
order by finetuned_model_id, score_delta desc
