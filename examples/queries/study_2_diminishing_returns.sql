-- The study, 2: what does each size class gain per kg over the one below?
select basis, as_of, bucket, n, emissions_kg_median, score_median, marginal_score_per_kg
from marts.mart_size_bucket_comparison
where population = 'study' and params_source = 'published'
order by as_of desc, basis, bucket_order
