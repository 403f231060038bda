-- Official against community models in the study's population.
select
    basis,
    as_of,
    bucket,
    provider,
    n,
    n_models,
    emissions_kg_median,
    score_median,
    score_per_kg_median,
    score_per_kg_median_low,
    score_per_kg_median_high,
    official_multiplier,
    official_multiplier_low,
    official_multiplier_high
from marts.mart_provider_comparison
where
    as_of in (
        select claims.study_day from marts.mart_study_claims as claims
        union all
        select max(newest.as_of) from marts.fct_leaderboard_evaluations as newest
    )
order by as_of, bucket, provider, basis
