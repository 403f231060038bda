-- The study, 4: at 70 B, what do official and community fine-tunes emit compared with their base?
-- The model that was run most often pulls the mean, but not the median; the report draws medians.
select
    basis,
    as_of,
    family,
    model_group,
    n,
    emissions_kg_mean,
    emissions_ratio_mean,
    emissions_kg_median,
    emissions_ratio_median,
    ratio_reason
from marts.mart_family_deltas
where size_class = '65–80 B'
order by as_of desc, basis, family, model_group
