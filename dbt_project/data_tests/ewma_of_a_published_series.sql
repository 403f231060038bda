-- NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.4: twenty values, mean 50, standard deviation 2.0539,
-- smoothing 0.3. The averages 50.60, 49.52, 50.56, …, 51.23, 51.94, 51.99 end inside the band 47.4115 to 52.5884.
with series as (
    select
        unnest([
            52.0, 47.0, 53.0, 49.3, 50.1, 47.0, 51.0, 50.1, 51.2, 50.5,
            49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1
        ]) as value,
        unnest(range(1, 21)) as number
),

averages as (
    select
        later.number,
        {{ ewma_start('50', 'later.number', '0.3') }}
        + sum({{ ewma_part('earlier.value', '(later.number - earlier.number)', '0.3') }}) as average,
        {{ ewma_limit('2.0539', 'later.number', '0.3', '3') }} as half_width
    from series as later
    inner join series as earlier on later.number >= earlier.number
    group by later.number
),

published as (
    select
        unnest([1, 2, 3, 18, 19, 20]) as number,
        unnest([50.60, 49.52, 50.56, 51.23, 51.94, 51.99]) as average
)

select *
from averages
inner join published on averages.number = published.number
where
    abs(averages.average - published.average) > 0.006
    or (averages.number = 20 and abs(averages.half_width - (52.5884 - 50)) > 2e-3)
