with source as (
    select * from {{ source('raw', 'calibrations') }}
),

renamed as (
    select
        calibration_id,
        run_id,
        machine_id,
        meter,
        boundary,
        cpu_method,
        gpu_method,
        ram_method,
        measured_kwh,
        metered_kwh,
        factor,
        coverage,
        calibrated_by,
        calibrated_at
    from source
)

select * from renamed
