with source as (
    select * from {{ source('raw', 'task_emissions') }}
),

renamed as (
    select
        run_id,
        task,
        phase,
        repetition,
        started_at,
        ended_at,
        duration_s,
        energy_kwh,
        cpu_energy_kwh,
        gpu_energy_kwh,
        ram_energy_kwh,
        cpu_method,
        gpu_method,
        ram_method,
        boundary,
        requests,
        tokens_prompt,
        tokens_generated,
        tokens_unshared,
        tokens_computed,
        tokens_padding,
        tokens_shared,
        tokens_distinct,
        own_cpu_s,
        foreign_cpu_s,
        foreign_programs,
        gpu_temperature_c,
        gpu_sm_clock_mhz,
        gpu_power_limit_w,
        gpu_throttled,
        quality_flags,
        quality_note,
        is_sum_of_parts
    from source
)

select * from renamed
