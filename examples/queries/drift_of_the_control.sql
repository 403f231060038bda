-- Is the machine still the same: has the nightly control workload drifted?
select distinct night, machine_id, control_flag, control_reason
from marts.mart_emissions_history
order by machine_id, night desc
