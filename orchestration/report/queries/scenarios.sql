-- The same kWh on other grids and sites: your models one by one, the leaderboard's newest state in sums.
select
    basis,
    suite,
    comparability_key,
    if(basis = 'measured', null, as_of) as as_of,
    scenario,
    grid_intensity_g_per_kwh,
    pue,
    if(basis = 'measured', model_id, 'all models with known energy') as model,
    count(energy_kwh) as models,
    sum(energy_kwh) as energy_kwh,
    sum(emissions_kg) as emissions_kg,
    any_value(energy_reason) as missing_reason
from marts.mart_carbon_scenarios
group by all
order by basis, comparability_key, model, grid_intensity_g_per_kwh, pue, scenario
