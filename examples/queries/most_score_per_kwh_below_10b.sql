-- Which model under 10 B scores most per kWh? By this measure alone a tiny, useless model wins, so look at the score:
-- add `score >= 30`, for example. Compare only within one basis and comparability_hash, because suites' points differ.
select distinct
    basis,
    as_of,
    suite,
    model_id,
    params_b,
    score,
    energy_kwh,
    score / energy_kwh as score_per_kwh,
    comparability_hash
from marts.mart_model_efficiency
where params_b < 10 and is_current and energy_kwh > 0
qualify dense_rank() over (partition by basis, comparability_hash order by score / energy_kwh desc) <= 5
order by basis, comparability_hash, score_per_kwh desc
