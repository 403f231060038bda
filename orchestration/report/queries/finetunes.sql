-- Fine-tuned models against their bases: your pairs by document, leaderboard pairs with one row per side. The scope
-- known_tasks covers the tasks with known energies on both sides if the suite's energy is not known. What was asked in
-- part is in asked.sql.
select
    deltas.basis,
    deltas.as_of,
    deltas.comparability_key,
    deltas.scope,
    deltas.suite,
    deltas.task,
    deltas.tasks_compared,
    deltas.tasks_paired,
    deltas.tasks_planned,
    deltas.base_model_id as base,
    deltas.finetuned_model_id as finetuned,
    deltas.finetuned_kind as kind,
    deltas.family,
    case when deltas.scope = 'table' then listed.size_class else counted.bucket end as size_class,
    deltas.documents_paired,
    deltas.base_score,
    deltas.finetuned_score,
    deltas.score_delta,
    deltas.score_delta_low,
    deltas.score_delta_high,
    deltas.score_interval_reason,
    deltas.score_verdict,
    deltas.score_p_adjusted,
    deltas.base_energy_kwh,
    deltas.finetuned_energy_kwh,
    deltas.energy_ratio,
    deltas.energy_ratio_low,
    deltas.energy_ratio_high,
    deltas.energy_interval_reason,
    deltas.tokens_out_ratio,
    deltas.tokens_out_ratio_low,
    deltas.tokens_out_ratio_high,
    deltas.base_joules_per_correct,
    deltas.finetuned_joules_per_correct,
    deltas.joules_per_correct_ratio,
    deltas.joules_per_correct_ratio_low,
    deltas.joules_per_correct_ratio_high,
    deltas.energy_method,
    deltas.verdict,
    deltas.verdict_reason
from marts.mart_base_vs_finetuned_deltas as deltas
left join marts.fct_leaderboard_evaluations as listed
    on deltas.finetuned_eval_name = listed.eval_name and deltas.as_of = listed.as_of
left join marts.dim_models as counted
    on deltas.finetuned_model_key = counted.model_key
where
    (deltas.basis = 'measured' and deltas.is_complete)
    or deltas.as_of in (
        select claims.study_day from marts.mart_study_claims as claims
        union all
        select max(newest.as_of) from marts.fct_leaderboard_evaluations as newest
    )
order by
    deltas.basis, deltas.as_of, deltas.comparability_key, deltas.finetuned_model_id, deltas.base_model_id,
    deltas.scope, deltas.task, deltas.finetuned_eval_name
