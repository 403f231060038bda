with windows as (
    select * from {{ ref('stg_task_emissions') }}
    where task = ''
),

phases as (
    select
        run_id,
        sum({{ joules('energy_kwh') }} / nullif(duration_s, 0)) filter (
            where phase = 'idle' and {{ is_usable('energy_kwh', 'quality_flags') }}
        ) as idle_power_w,
        sum({{ countable('energy_kwh', 'quality_flags') }}) filter (where phase = 'idle') as idle_energy_kwh,
        sum({{ countable('energy_kwh', 'quality_flags') }}) filter (where phase = 'load') as load_energy_kwh,
        sum({{ countable('energy_kwh', 'quality_flags') }}) filter (where phase = 'warmup') as warmup_energy_kwh,
        sum(duration_s order by phase) as duration_s,
        sum(duration_s order by phase) filter (where {{ countable('energy_kwh', 'quality_flags') }} is not null)
            as metered_s
    from windows
    group by run_id
)

select * from phases
