-- How energies were obtained, and which may be compared: your models as they are now, the leaderboard's on the study's
-- day and in the newest imported state.
select
    basis,
    case when basis != 'measured' then as_of end as as_of,
    suite,
    comparability_key,
    energy_method,
    boundary,
    energy_valid_for,
    count(*) as models,
    count(energy_kwh) as with_energy,
    count(energy_kwh_low) as with_interval,
    max(calibrated_energy_kwh / nullif(energy_kwh, 0)) as calibration_factor,
    min(energy_repetitions) as fewest_repetitions,
    string_agg(distinct energy_reason, '; ' order by energy_reason) as missing_reasons,
    string_agg(distinct energy_interval_reason, '; ' order by energy_interval_reason) as interval_reasons
from marts.mart_model_efficiency
where
    (basis = 'measured' and is_current)
    or as_of in (
        select claims.study_day from marts.mart_study_claims as claims
        union all
        select max(newest.as_of) from marts.fct_leaderboard_evaluations as newest
    )
group by all
order by basis, as_of, comparability_key, suite, energy_method
