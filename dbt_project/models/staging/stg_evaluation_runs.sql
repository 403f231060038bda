with source as (
    select * from {{ source('raw', 'evaluation_runs') }}
),

renamed as (
    select
        run_id,
        model_id,
        model_key,
        suite,
        suite_version,
        plan_key,
        status,
        reason,
        started_at,
        ended_at,
        duration_s,
        tasks_planned,
        tasks_evaluated,
        tasks_reused,
        tasks_failed,
        task_evaluations_json,
        task_failures_json,
        machine_id,
        host,
        operating_system,
        cpu_model,
        cpu_count,
        ram_total_gb,
        threads,
        device,
        device_name,
        device_uuid,
        driver_version,
        engine,
        engine_version,
        batch_policy,
        dtype,
        meter,
        meter_version,
        harness_version,
        package_versions_json,
        seed,
        project_git_sha,
        command,
        country_iso_code,
        grid_region,
        grid_intensity_g_per_kwh,
        grid_source,
        pue
    from source
)

select * from renamed
