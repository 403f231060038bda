-- What would the same evaluations emit on other grids?
select model_id, basis, suite, scenario, energy_kwh, emissions_kg
from marts.mart_carbon_scenarios
where energy_kwh is not null and scenario in ('France', 'Germany', 'United States', 'China')
order by basis desc, model_id, suite, emissions_kg
