-- Of values whose logarithms are normal quantiles with deviation 1, the median's logarithm has a variance near
-- pi / (2 n) (the asymptotic one, Kendall and Stuart 1977, The Advanced Theory of Statistics, vol. 1, 10.10).
with quantiles as (
    -- Tukey's lambda approximation of the normal quantile, good to 1 % between 0.02 and 0.98
    select (pow((number - 0.5) / 400, 0.1349) - pow(1 - (number - 0.5) / 400, 0.1349)) / 0.1975 as quantile
    from (select unnest(range(1, 401)) as number) as numbers -- noqa: AL05
),

samples as (
    select list(exp(quantile)) as members
    from quantiles
),

variances as (
    select {{ log_median_variance('members') }} as variance
    from samples
)

select *
from variances
where variance is null or abs(variance / (pi() / (2 * 400)) - 1) > 0.1
