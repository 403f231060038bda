-- One figure per task over its repetitions, whose number may differ from night to night.
with evaluations as (
    select
        machine_id,
        run_started_at,
        run_id,
        model_key,
        comparability_key,
        task,
        fingerprint,
        avg(energy_kwh order by repetition) as energy_kwh,
        string_agg(distinct coalesce(invalid_reason, energy_reason), '; ') as reason
    from {{ ref('int_task_evaluations') }}
    where is_control
    group by all
),

all_runs as (
    select * from {{ ref('stg_evaluation_runs') }}
),

rule as (
    select * from {{ ref('control_rule') }}
),

controls as (
    select
        machine_id,
        (run_started_at at time zone 'UTC')::date as night,
        run_id,
        any_value(model_key) as model_key,
        -- The setting: a change of tasks, engine or driver starts a new chart.
        string_agg(
            distinct comparability_key || task || fingerprint, ' ' order by comparability_key || task || fingerprint
        ) as chart,
        sum(energy_kwh order by task) as energy_kwh,
        string_agg(task || ': ' || reason, '; ' order by task) as reason
    from evaluations
    group by machine_id, night, run_id
),

-- A control without some of its tasks would seem to use less energy.
runs as (
    select
        controls.* exclude (reason),
        coalesce(controls.reason, case when all_runs.status != 'completed' then 'the run was ' || all_runs.status end)
            as reason
    from controls
    inner join all_runs on controls.run_id = all_runs.run_id
),

newest as (
    select *
    from runs
    qualify row_number() over (partition by machine_id, night order by reason is null desc, run_id desc) = 1
),

numbered as (
    select
        *,
        case when reason is null then ln(energy_kwh) end as log_energy,
        row_number() over (partition by machine_id, chart, reason is null order by night) as number
    from newest
),

baselines as (
    select
        numbered.machine_id,
        numbered.chart,
        avg(numbered.log_energy) as log_mean,
        greatest(stddev_samp(numbered.log_energy), any_value(rule.least_sigma)) as sigma
    from numbered
    cross join rule
    where numbered.reason is null and numbered.number <= rule.baseline_nights
    group by numbered.machine_id, numbered.chart
),

averaged as (
    select
        numbered.machine_id,
        numbered.night,
        any_value(numbered.model_key) as model_key,
        any_value(numbered.energy_kwh) as energy_kwh,
        any_value(numbered.reason) as reason,
        any_value(numbered.number) as number,
        any_value(rule.baseline_nights) as baseline_nights,
        any_value(baselines.log_mean) as log_mean,
        any_value(
            {{ ewma_start(
                'baselines.log_mean', 'greatest(numbered.number - rule.baseline_nights, 0)', 'rule.smoothing'
            ) }}
        )
        + coalesce(sum(
            {{ ewma_part('earlier.log_energy', '(numbered.number - earlier.number)', 'rule.smoothing') }}
            order by earlier.number
        ), 0) as log_average,
        any_value(
            {{ ewma_limit(
                'baselines.sigma', 'greatest(numbered.number - rule.baseline_nights, 0)', 'rule.smoothing',
                'rule.limit_sigmas'
            ) }}
        ) as half_width
    from numbered
    cross join rule
    left join baselines on numbered.machine_id = baselines.machine_id and numbered.chart = baselines.chart
    left join numbered as earlier
        on
            numbered.machine_id = earlier.machine_id
            and numbered.chart = earlier.chart
            and numbered.reason is null
            and earlier.reason is null
            and numbered.number >= earlier.number
            and rule.baseline_nights < earlier.number
    group by numbered.machine_id, numbered.night
),

final as (
    select
        machine_id,
        night,
        model_key,
        energy_kwh,
        case when reason is null and number > baseline_nights then exp(log_average - log_mean) end as drift_ratio,
        case
            when reason is not null then 'no_figure'
            when number <= baseline_nights then 'learning'
            when abs(log_average - log_mean) > half_width then 'drifted'
            else 'steady'
        end as control_flag,
        case
            when reason is not null then reason
            when number <= baseline_nights
                then format('baseline night {} of {}', number, baseline_nights)
            else format(
                'the control''s energy differs by {:+.1f} % from its first {} nights; up to {:.1f} % is noise',
                100 * (exp(log_average - log_mean) - 1), baseline_nights, 100 * (exp(half_width) - 1)
            )
        end as control_reason
    from averaged
)

select * from final
