-- Emissions of a family's fine-tunes against their base, in the study's size classes.
select
    basis,
    as_of,
    size_class,
    family,
    model_group,
    n,
    emissions_kg_median,
    score_median,
    emissions_ratio_median,
    score_delta_mean,
    ratio_reason
from marts.mart_family_deltas
where
    size_class in (select claims.size_class from marts.mart_study_claims as claims)
    and model_group in ('base', 'official', 'official, other', 'community')
    and as_of in (
        select claims.study_day from marts.mart_study_claims as claims
        union all
        select max(newest.as_of) from marts.fct_leaderboard_evaluations as newest
    )
order by as_of, size_class, family, model_group, basis
