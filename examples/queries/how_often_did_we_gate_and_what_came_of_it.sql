-- How often was each model gated on a suite, what came of it, and is it time to judge by other documents?
select candidate_model_id, reference_model_id, suite, count(distinct gate_id) as gates,
    count(distinct gate_id) filter (where outcome = 'PASS') as passed,
    count(distinct gate_id) filter (where outcome = 'FAIL') as failed,
    count(distinct gate_id) filter (where outcome = 'INCONCLUSIVE') as inconclusive,
    count(distinct gate_id) filter (where outcome is null) as not_decided,
    max(asked_at) as last_asked_at, arg_max(outcome, gate_id) as last_outcome,
    arg_max(tuning_warning, gate_id) as tuning_warning
from marts.mart_gates
group by candidate_model_id, reference_model_id, suite
order by gates desc, candidate_model_id, reference_model_id, suite
