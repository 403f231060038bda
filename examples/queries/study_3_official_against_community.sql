-- The study, 3: are community fine-tunes more efficient than official releases of their size?
select
    basis,
    as_of,
    bucket,
    provider,
    n,
    score_per_kg_median,
    score_per_kg_median_low,
    score_per_kg_median_high,
    official_multiplier
from marts.mart_provider_comparison
order by as_of desc, basis, bucket, provider
