-- Which model under 10 B gives the most per kWh? The smallest useless model wins that alone, so look at the score.
select
    basis,
    model_id,
    params_b,
    score,
    energy_kwh,
    score / energy_kwh as score_per_kwh
from marts.mart_model_efficiency
where params_b < 10 and is_current and energy_kwh > 0
qualify row_number() over (partition by basis, comparability_key order by score_per_kwh desc) <= 5
order by basis, comparability_key, score_per_kwh desc
