-- Two-sided p values of commonly tabulated quantiles.
with tabulated as (
    select
        unnest([0.0, 1.6448536269514722, -1.959963984540054, 2.5758293035489004, 3.290526731491926]) as deviate,
        unnest([1.0, 0.1, 0.05, 0.01, 0.001]) as p_value
)

select *
from tabulated
where abs({{ normal_p_value('deviate') }} - p_value) > 3e-7
