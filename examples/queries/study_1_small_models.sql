-- The study, 1: do models below 10 B reach a strong score at low CO2? As published, and per run.
select basis, as_of, verdict, n_a as community_models_below_10b, n_b as of_them_35_points_under_5_kg, reason
from marts.mart_study_claims
where claim_id = 'a'
order by as_of desc, basis
