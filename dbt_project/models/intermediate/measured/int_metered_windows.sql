with runs as (
    select * from {{ ref('stg_evaluation_runs') }}
),

excluded as (
    select * from {{ ref('int_excluded_runs') }}
),

calibrations as (
    select * from {{ ref('int_calibrations') }}
),

whole_windows as (
    select
        *,
        '' as part
    from {{ ref('stg_task_emissions') }}
),

-- Whether other programs took too much shows only in the sum of a task's windows. Its other flags are the parts' own,
-- or about the sum alone.
part_windows as (
    select
        parts.* replace (
            coalesce(
                parts.quality_flags, case when contains(sums.quality_flags, 'foreign_load') then 'foreign_load' end
            ) as quality_flags
        ),
        parts.first_place || '-' || parts.last_place as part
    from {{ ref('stg_part_emissions') }} as parts
    left join whole_windows as sums
        on
            parts.run_id = sums.run_id
            and parts.task = sums.task
            and parts.phase = sums.phase
            and parts.repetition = sums.repetition
            and sums.is_sum_of_parts
),

-- The energy of a sum was used when its parts were asked.
all_windows as (
    select * from whole_windows
    where not coalesce(is_sum_of_parts, false)
    union all by name
    select * from part_windows
),

windows as (
    select
        *,
        {{ countable('energy_kwh', 'quality_flags') }} as countable_kwh,
        {{ energy_method() }} as energy_method
    from all_windows
),

final as (
    select
        windows.run_id,
        windows.task,
        windows.phase,
        windows.repetition,
        windows.part,
        windows.duration_s,
        windows.countable_kwh as energy_kwh,
        windows.countable_kwh * calibrations.calibration_factor as calibrated_energy_kwh,
        {{ emissions_kg('windows.countable_kwh', 'runs.pue', 'runs.grid_intensity_g_per_kwh') }} as emissions_kg,
        windows.energy_method,
        windows.boundary,
        excluded.run_id is not null as is_excluded,
        case
            when windows.countable_kwh is null
                then
                    windows.phase || case when windows.task = '' then '' else ' of ' || windows.task end
                    || ': ' || coalesce('flagged ' || windows.quality_flags, 'not metered')
        end as energy_reason
    from windows
    inner join runs on windows.run_id = runs.run_id
    left join excluded on windows.run_id = excluded.run_id
    left join calibrations
        on
            runs.machine_id = calibrations.machine_id
            and runs.meter = calibrations.meter
            and windows.boundary = calibrations.boundary
            and windows.energy_method = calibrations.energy_method
)

select * from final
