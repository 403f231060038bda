-- The fifteen p values of Benjamini and Hochberg 1995, section 3.1: at 5 % the four smallest are rejected. The adjusted
-- values are those of scipy.stats.false_discovery_control. The second family must not affect the first.
with comparisons as (
    select
        'published' as family,
        unnest([
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
            0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000
        ]) as p_value
    union all
    select
        'alone' as family,
        0.04 as p_value
    union all
    select
        'alone' as family,
        null as p_value
),

steps as (
    select
        *,
        {{ benjamini_hochberg_step('p_value', 'family') }} as step
    from comparisons
),

adjusted as (
    select
        *,
        {{ benjamini_hochberg('p_value', 'step', 'family') }} as adjusted
    from steps
)

select *
from adjusted
where
    (family = 'alone' and adjusted != p_value)
    or (p_value is null and adjusted is not null)
    or (p_value = 0.0001 and abs(adjusted - 0.0015) > 1e-9)
    or (p_value = 0.0095 and abs(adjusted - 0.035625) > 1e-9)
    -- 0.0278, 0.0298 and 0.0344 take the smallest step above them
    or (p_value = 0.0278 and abs(adjusted - 0.0638571428571) > 1e-9)
    or (family = 'published' and (adjusted <= 0.05) != (p_value <= 0.0095))
