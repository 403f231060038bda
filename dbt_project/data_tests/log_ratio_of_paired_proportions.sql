-- For 0/1 values the linearised variance must be that of a ratio of paired proportions (Desu and Raghavarao 2004,
-- Nonparametric Statistical Methods for Complete and Independent Samples; also Fagerland et al. 2014):
-- (b + c)/((a + b)(a + c)), up to n/(n - 1) and the mean residual, here 0. a = 30, b = 10, c = 5, n = 100.
with variances as (
    select {{ log_ratio_variance_part('100', '40', '35', '40', '30', '35', '40', '35') }} as variance
)

select *
from variances
where abs(variance - 100 / 99.0 * (10 + 5) / (40.0 * 35)) > 1e-12
