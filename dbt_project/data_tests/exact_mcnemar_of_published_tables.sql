-- 1 against 7 discordant pairs (Bentur et al. 2009, as in Fagerland, Lydersen and Laake 2014): p = 18/256. 10 against
-- 20 is scipy's binomtest(10, 30).pvalue; with as many gained as lost, or none, p is 1.
with tables as (
    select
        unnest([1, 10, 0, 5]) as only_first,
        unnest([7, 20, 0, 5]) as only_second,
        unnest([18 / 256.0, 0.09873714670538905, 1.0, 1.0]) as p_value
),

tested as (
    select
        *,
        {{ exact_mcnemar('tables.only_first', 'tables.only_second') }} as found
    from tables
)

select *
from tested
where found is null or abs(found - p_value) > 1e-9
