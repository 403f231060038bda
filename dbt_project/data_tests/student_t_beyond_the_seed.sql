-- Tabulated two-sided 95 % quantiles: 2.0395 at 31, 2.0003 at 60, 1.9840 at 100 degrees of freedom.
with quantiles as (
    select
        {{ t_975('31') }} as t_31,
        {{ t_975('60') }} as t_60,
        {{ t_975('100') }} as t_100
)

select *
from quantiles
where abs(t_31 - 2.0395) > 1e-4 or abs(t_60 - 2.0003) > 1e-4 or abs(t_100 - 1.9840) > 1e-4
