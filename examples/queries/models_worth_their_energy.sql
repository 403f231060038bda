-- Which models are worth their energy: those for which no other model scores as much for less?
select
    basis,
    model_id,
    axis_pair,
    cost,
    score
from marts.mart_pareto_frontier
where on_frontier and axis_pair != 'params_b and score'
qualify as_of = max(as_of) over (partition by basis, comparability_key)
order by basis, comparability_key, cost
