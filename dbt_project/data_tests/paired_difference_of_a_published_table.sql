-- 21 children before and after stem cell transplantation (Bentur et al. 2009), a worked example in Fagerland, Lydersen
-- and Laake 2014, Stat. Med. 33(16), 2850-2875: 1 pair both, 7 and 1 discordant, 12 neither. By the formula:
-- (1 - 7)/23 -+ 1.96 sqrt((10/23 - (6/23)^2)/23).
with bounds as (
    select
        {{ paired_difference('21', '1', '7') }}
        - {{ z() }} * sqrt({{ paired_difference_variance('21', '1', '7') }}) as low,
        {{ paired_difference('21', '1', '7') }}
        + {{ z() }} * sqrt({{ paired_difference_variance('21', '1', '7') }}) as high
)

select *
from bounds
where abs(low - -0.508359) > 1e-5 or abs(high - -0.013380) > 1e-5
