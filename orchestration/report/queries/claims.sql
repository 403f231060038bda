-- The study's claims, on your evaluations and on the leaderboard's table as published and per run.
select
    claim_id,
    basis,
    as_of,
    study_day,
    statement,
    size_class,
    params_below_b,
    definition,
    rule,
    effect,
    effect_low,
    effect_high,
    effect_unit,
    n_a,
    n_a_counts,
    n_b,
    n_b_counts,
    verdict_code,
    verdict,
    reason_code,
    reason,
    confounders,
    evidence_through
from marts.mart_study_claims
where
    basis = 'measured'
    or as_of in (study_day, (select max(newest.as_of) from marts.fct_leaderboard_evaluations as newest))
order by claim_id, as_of, basis
