-- The study, 5: is there a pattern between base and fine-tune at 7 to 9 B?
-- If mean and median are on different sides of 1, a few models decide the mean; the report draws medians.
select
    basis,
    as_of,
    family,
    model_group,
    n,
    emissions_ratio_mean,
    emissions_ratio_median,
    score_delta_mean,
    ratio_reason
from marts.mart_family_deltas
where size_class = '7–9 B' and model_group != 'base'
order by as_of desc, basis, emissions_ratio_mean
