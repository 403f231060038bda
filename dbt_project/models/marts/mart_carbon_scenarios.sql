with efficiency as (
    select * from {{ ref('mart_model_efficiency') }}
    where is_current
),

scenarios as (
    select
        scenario,
        grid_intensity_g_per_kwh,
        pue
    from {{ ref('carbon_scenarios') }}
    union all
    -- The leaderboard's own scenario: Virginia's grid, without the site's overhead.
    select
        'leaderboard' as scenario,
        {{ var('leaderboard_grid_g_per_kwh') }} as grid_intensity_g_per_kwh,
        1 as pue
),

final as (
    select
        efficiency.model_key,
        efficiency.eval_name,
        efficiency.suite,
        efficiency.comparability_key,
        efficiency.basis,
        scenarios.scenario,
        efficiency.as_of,
        efficiency.model_id,
        efficiency.energy_kwh,
        {{ emissions_kg('efficiency.energy_kwh', 'scenarios.pue', 'scenarios.grid_intensity_g_per_kwh') }}
            as emissions_kg,
        {{ emissions_kg('efficiency.calibrated_energy_kwh', 'scenarios.pue', 'scenarios.grid_intensity_g_per_kwh') }}
            as calibrated_emissions_kg,
        efficiency.energy_valid_for,
        efficiency.duration_s / 3600 as hours,
        scenarios.grid_intensity_g_per_kwh,
        scenarios.pue,
        efficiency.energy_reason
    from efficiency
    cross join scenarios
)

select * from final
