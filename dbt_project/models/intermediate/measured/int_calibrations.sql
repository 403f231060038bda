with calibrations as (
    select
        *,
        {{ energy_method() }} as energy_method
    from {{ ref('stg_calibrations') }}
),

latest as (
    select
        machine_id,
        meter,
        boundary,
        energy_method,
        factor as calibration_factor,
        calibrated_at
    from calibrations
    qualify row_number() over (
        partition by machine_id, meter, boundary, energy_method order by calibration_id desc
    ) = 1
)

select * from latest
