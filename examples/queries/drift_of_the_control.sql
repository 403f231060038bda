-- Has the machine changed: did the nightly control workload drift?
select distinct night, machine_id, control_flag, control_reason
from marts.mart_emissions_history
order by machine_id, night desc
