{{ config(materialized='view') }}

with leaderboard as (
    select * from {{ ref('int_leaderboard_by_basis') }}
),

versions as (
    select * from {{ ref('int_leaderboard_state_versions') }}
),

final as (
    select
        leaderboard.model_key,
        'leaderboard' as suite,
        {{ leaderboard_comparability_key() }} as comparability_key,
        leaderboard.basis,
        leaderboard.as_of,
        leaderboard.model_id,
        leaderboard.eval_name,
        bases.model_id as base_model_id,
        leaderboard.family,
        leaderboard.provider,
        leaderboard.kind,
        leaderboard.params_trusted_b as params_b,
        leaderboard.bucket_trusted as bucket,
        leaderboard.as_of = (select max(versions.as_of) from versions) as is_current,
        'open-llm-leaderboard v2' as suite_version,
        'open-llm-leaderboard' as machine_id,
        6 as tasks_planned,
        6 as tasks_covered,
        leaderboard.score,
        case when leaderboard.score is null then 'the table lacks a score' end as score_reason,
        'the table has no standard errors' as score_interval_reason,
        {{ leaderboard_energy_kwh('leaderboard.emissions_kg') }} as energy_kwh,
        'nameplate power x hours' as energy_method,
        'gpu nameplate' as boundary,
        leaderboard.emissions_reason as energy_reason,
        'nameplate power of all components together' as gpu_energy_reason,
        'nameplate power, not repeated' as energy_interval_reason,
        {{ leaderboard_energy_kwh('leaderboard.emissions_kg') }}
        / {{ var('leaderboard_nameplate_kw') }}
        * 3600 as duration_s,
        leaderboard.emissions_kg,
        {{ energy_valid_for('null') }} as energy_valid_for,
        'the table counts no correct answers' as joules_per_correct_reason,
        {{ comparability_hash(leaderboard_comparability_key()) }} as comparability_hash,
        leaderboard.row_version
    from leaderboard
    left join leaderboard as bases
        on
            leaderboard.as_of = bases.as_of
            and leaderboard.basis = bases.basis
            and leaderboard.base_eval_name = bases.eval_name
)

select * from final
