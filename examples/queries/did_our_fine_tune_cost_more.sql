-- Did our fine-tune cost more energy per correct answer than its base, and how sure are we?
select
    finetuned_model_id,
    base_model_id,
    suite,
    tasks_compared,
    verdict,
    joules_per_correct_ratio,
    joules_per_correct_ratio_low,
    joules_per_correct_ratio_high,
    verdict_reason
from marts.mart_base_vs_finetuned_deltas
where scope in ('suite', 'known_tasks') and basis = 'measured'
order by finetuned_model_id, suite, scope desc
