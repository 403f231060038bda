-- The leaderboard's models on the study's day and in the newest imported state, as published and per run.
select
    efficiency.basis,
    efficiency.as_of,
    efficiency.model_id as model,
    efficiency.family,
    efficiency.provider,
    efficiency.kind,
    efficiency.params_b,
    efficiency.bucket,
    efficiency.score,
    efficiency.emissions_kg,
    efficiency.energy_kwh,
    efficiency.energy_reason as missing_reason,
    frontier.on_frontier,
    frontier.dominated_by
from marts.mart_model_efficiency as efficiency
left join marts.mart_pareto_frontier as frontier
    on
        efficiency.basis = frontier.basis
        and efficiency.as_of = frontier.as_of
        and efficiency.eval_name = frontier.point
        and frontier.axis_pair = 'emissions_kg and score'
where
    efficiency.basis != 'measured'
    and efficiency.as_of in (
        select claims.study_day from marts.mart_study_claims as claims
        union all
        select max(newest.as_of) from marts.fct_leaderboard_evaluations as newest
    )
order by efficiency.basis, efficiency.as_of, efficiency.score desc, efficiency.eval_name
