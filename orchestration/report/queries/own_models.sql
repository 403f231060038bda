-- Every model evaluated here, as it is now: its score, its energy, and whether another model scores more for less.
-- Compare energies only within one comparability_key.
select
    efficiency.model_id as model,
    efficiency.comparability_key,
    efficiency.headline_rank,
    efficiency.suite,
    efficiency.as_of,
    efficiency.family,
    efficiency.provider,
    efficiency.kind,
    efficiency.params_b,
    efficiency.bucket,
    efficiency.score,
    efficiency.score_low,
    efficiency.score_high,
    efficiency.energy_kwh,
    efficiency.energy_kwh_low,
    efficiency.energy_kwh_high,
    efficiency.energy_known_kwh,
    efficiency.tasks_without_energy,
    efficiency.emissions_kg,
    efficiency.joules_per_correct,
    efficiency.joules_per_correct_low,
    efficiency.joules_per_correct_high,
    efficiency.joules_per_correct_gpu,
    efficiency.tokens_out_per_request,
    efficiency.energy_method,
    efficiency.boundary,
    efficiency.energy_valid_for,
    efficiency.energy_repetitions,
    coalesce(efficiency.energy_reason, efficiency.score_reason) as missing_reason,
    efficiency.energy_interval_reason,
    efficiency.joules_per_correct_reason,
    frontier.on_frontier,
    frontier.dominated_by
from marts.mart_model_efficiency as efficiency
left join marts.mart_pareto_frontier as frontier
    on
        efficiency.model_key = frontier.model_key
        and efficiency.comparability_key = frontier.comparability_key
        and efficiency.basis = frontier.basis
        and frontier.axis_pair = 'energy_kwh and score'
where efficiency.basis = 'measured' and efficiency.is_current
order by efficiency.headline_rank, efficiency.score desc nulls last, efficiency.model_id, efficiency.model_key
