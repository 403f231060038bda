with snapshots as (
    select * from {{ ref('int_leaderboard_rows') }}
),

-- A renamed repository continues under another eval_name: the same revision at the same precision, where one name ends
-- before the other begins. Names that occur together in any state are two rows, however similar they are.
spans as (
    select
        eval_name,
        any_value({{ model_alias('name_key') }}) as alias,
        arg_max(revision, snapshot_date) as revision,
        any_value(precision) as precision,
        any_value(weight_type) as weight_type,
        min(snapshot_date) as first_seen,
        max(snapshot_date) as last_seen,
        arg_max(params_published_b, snapshot_date) as params_b
    from snapshots
    group by eval_name
),

linked as (
    select
        *,
        case
            when revision is null or coalesce(weight_type = 'Adapter', false) then eval_name
            when
                coalesce(first_seen <= max(last_seen) over earlier, false)
                or coalesce(last_seen >= min(first_seen) over later, false)
                then eval_name
            else coalesce(first_value(eval_name) over same_model, eval_name)
        end as row_key
    from spans
    window
        same_model as (partition by alias, revision, precision order by first_seen, eval_name),
        earlier as (
            partition by alias, revision, precision order by first_seen, eval_name
            rows between unbounded preceding and 1 preceding
        ),
        later as (
            partition by alias, revision, precision order by first_seen, eval_name
            rows between 1 following and unbounded following
        )
),

observed as (
    select
        linked.row_key,
        snapshots.snapshot_date,
        snapshots.emissions_published_kg as kg,
        lag(snapshots.emissions_published_kg) over one_row as kg_before,
        lag(snapshots.snapshot_date) over one_row as date_before
    from snapshots
    inner join linked on snapshots.eval_name = linked.eval_name
    where snapshots.emissions_published_kg is not null
    window one_row as (partition by linked.row_key order by snapshots.snapshot_date)
),

-- The table prints about fifteen digits; smaller differences are rounding.
changes as (
    select
        *,
        coalesce(kg > kg_before * (1 + 1e-9), false) as is_increase,
        coalesce(kg < kg_before * (1 - 1e-9), false) as is_reset,
        kg - kg_before as increase_kg
    from observed
),

epochs as (
    select
        *,
        sum(is_reset::int) over (partition by row_key order by snapshot_date) as epoch
    from changes
),

-- A decrease is a reset: the current value consists only of what came after it.
current_epochs as (
    select *
    from epochs
    qualify epoch = max(epoch) over (partition by row_key)
),

keys as (
    select
        current_epochs.row_key,
        max(current_epochs.epoch) as resets,
        min(current_epochs.snapshot_date) as first_date,
        arg_min(current_epochs.kg, current_epochs.snapshot_date) as first_kg,
        max(current_epochs.epoch) > 0
        or min(current_epochs.snapshot_date) > (select min(snapshots.snapshot_date) from snapshots) as is_first_known,
        arg_max(current_epochs.increase_kg, current_epochs.snapshot_date)
        filter (where current_epochs.is_increase) as latest_increase_kg
    from current_epochs
    group by current_epochs.row_key
),

sizes as (
    select
        row_key,
        round(2 * log2(arg_max(params_b, last_seen))) as size_step
    from linked
    group by row_key
),

-- What one evaluation usually emits at a size: per half octave of parameters, from at least five rows.
norms as (
    select
        sizes.size_step,
        case
            when count(*) >= 5
                then median(coalesce(keys.latest_increase_kg, case when keys.is_first_known then keys.first_kg end))
        end as norm_kg
    from keys
    inner join sizes on keys.row_key = sizes.row_key
    where keys.latest_increase_kg is not null or keys.is_first_known
    group by sizes.size_step
),

-- Far below the norm for the size and less than half of the previous value: not all benchmarks were run again.
increases as (
    select
        current_epochs.row_key,
        current_epochs.snapshot_date,
        current_epochs.date_before,
        current_epochs.increase_kg,
        coalesce(
            current_epochs.increase_kg < 0.25 * norms.norm_kg
            and current_epochs.increase_kg < 0.5 * current_epochs.kg_before, false
        ) as is_partial
    from current_epochs
    inner join sizes on current_epochs.row_key = sizes.row_key
    left join norms on sizes.size_step = norms.size_step
    where current_epochs.is_increase
),

summed as (
    select
        row_key,
        count(*) as increases,
        count(*) filter (where is_partial) as partial_increases,
        max(snapshot_date) filter (where not is_partial) as latest_date,
        arg_max(increase_kg, snapshot_date) filter (where not is_partial) as latest_kg,
        arg_max(snapshot_date - date_before, snapshot_date) filter (where not is_partial) as gap_days,
        min(increase_kg) filter (where not is_partial) as smallest_kg
    from increases
    group by row_key
),

-- Between states that are more than a day apart, a model may have been evaluated more than once. The increase is then a
-- whole multiple of a single evaluation of the same row, within 5 %.
histories as (
    select
        keys.row_key,
        keys.resets,
        keys.first_date,
        keys.first_kg,
        keys.is_first_known,
        coalesce(summed.increases, 0) as increases,
        coalesce(summed.partial_increases, 0) as partial_increases,
        summed.latest_date,
        summed.latest_kg,
        summed.gap_days,
        summed.latest_kg / least(
            summed.smallest_kg, case when keys.is_first_known then keys.first_kg end
        ) as multiple
    from keys
    left join summed on keys.row_key = summed.row_key
),

judged as (
    select
        *,
        latest_kg is not null
        and gap_days > 1
        and multiple > 1.5
        and abs(multiple - round(multiple)) <= 0.05 * round(multiple)
            as is_divided,
        latest_kg is not null
        and gap_days > 1
        and multiple > 1.5
        and abs(multiple - round(multiple)) > 0.05 * round(multiple)
            as is_maybe_several
    from histories
),

estimated as (
    select
        row_key,
        case
            when is_divided then latest_kg / round(multiple)
            when latest_kg is not null then latest_kg
            when is_first_known then first_kg
        end as emissions_per_run_kg,
        case
            when is_divided then 'latest increase, divided by ' || round(multiple)::int || ' runs'
            when is_maybe_several then 'latest increase, which may hold several runs'
            when latest_kg is not null then 'latest increase'
            when is_first_known and resets > 0 then 'value after a reset'
            when is_first_known then 'first value'
        end as per_run_method,
        case
            when latest_kg is not null or is_first_known then null
            when partial_increases > 0
                then
                    'in the first state already, and only evaluated again in part: its number of runs is not known'
            else 'in the first state already, and not evaluated again: its number of runs is not known'
        end as per_run_reason,
        coalesce(latest_date, case when is_first_known then first_date end) as evidence_from,
        increases,
        partial_increases,
        resets
    from judged
),

final as (
    select
        linked.eval_name,
        linked.row_key,
        estimated.* exclude (row_key)
    from linked
    inner join estimated on linked.row_key = estimated.row_key
)

select * from final
