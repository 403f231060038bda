-- Which model under 10 B gives the most per kWh? The smallest useless model wins that alone, so look at the score.
-- Compare within one basis and comparability_hash: another suite's points are other points. `score >= 30` says useful.
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
