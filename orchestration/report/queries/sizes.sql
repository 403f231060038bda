-- Emissions and scores by size class: your models with counted parameters, the study's population with published ones.
select
    basis,
    as_of,
    comparability_key,
    suite,
    bucket,
    bucket_order,
    n,
    n_models,
    emissions_kg_mean,
    emissions_kg_median,
    emissions_kg_p25,
    emissions_kg_p75,
    emissions_kg_p95,
    score_mean,
    score_median,
    score_per_kg_median,
    marginal_score_per_kg
from marts.mart_size_bucket_comparison
where
    (basis = 'measured' and params_source = 'counted')
    or (
        population = 'study' and params_source = 'published'
        and as_of in (
            select claims.study_day from marts.mart_study_claims as claims
            union all
            select max(newest.as_of) from marts.fct_leaderboard_evaluations as newest
        )
    )
order by basis, as_of, comparability_key, bucket_order
