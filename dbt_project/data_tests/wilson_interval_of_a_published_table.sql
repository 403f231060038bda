-- 81 of 263, a worked example in Newcombe 1998, Stat. Med. 17(8), 857-872, table I: 0.2553 to 0.3662.
with bounds as (
    select
        {{ wilson_bound('81', '263', '-') }} as low,
        {{ wilson_bound('81', '263', '+') }} as high
)

select *
from bounds
where abs(low - 0.2553) > 5e-5 or abs(high - 0.3662) > 5e-5
