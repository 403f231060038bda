-- Which models lack an energy, and why?
select basis, energy_reason, count(*) as models, min(model_id) as one_of_them
from marts.mart_model_efficiency
where energy_kwh is null and is_current
group by basis, energy_reason
order by models desc
