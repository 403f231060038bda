-- What does a 10 % better score cost: from each model on the frontier to the cheapest that scores a tenth more?
with frontier as (
    select *
    from marts.mart_pareto_frontier
    where on_frontier and axis_pair != 'params_b and score'
    qualify as_of = max(as_of) over (partition by basis, comparability_key)
)

select
    here.basis,
    here.model_id,
    here.score,
    arg_min(better.model_id, better.cost) as better_model_id,
    min(better.cost) / here.cost as cost_ratio
from frontier as here
left join frontier as better
    on here.basis = better.basis and here.comparability_key = better.comparability_key and better.score >= 1.1 * here.score
group by here.basis, here.model_id, here.score, here.cost
order by here.basis, here.score
