-- How energies were obtained, and what may be compared with what.
select
    basis,
    suite,
    comparability_key,
    energy_method,
    boundary,
    energy_valid_for,
    count(*) as models,
    count(energy_kwh) as with_energy,
    count(energy_kwh_low) as with_interval,
    min(energy_repetitions) as fewest_repetitions,
    string_agg(distinct energy_reason, '; ' order by energy_reason) as missing_reasons,
    string_agg(distinct energy_interval_reason, '; ' order by energy_interval_reason) as interval_reasons
from marts.mart_model_efficiency
where is_current
group by all
order by basis, comparability_key, suite, energy_method
