-- Which energies are only modelled, and which of them are valid for more than a ranking?
select
    energy_method,
    boundary,
    energy_valid_for,
    machine_id,
    count(*) as rows_of_models,
    energy_method like '%modelled%' or energy_method like '%nameplate%' as is_modelled
from marts.mart_model_efficiency
where is_current
group by all
order by rows_of_models desc
