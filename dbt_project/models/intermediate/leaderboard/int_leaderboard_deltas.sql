{{ config(materialized='view') }}

with pairs as (
    select * from {{ ref('int_leaderboard_pairs') }}
),

final as (
    select
        base_model_key,
        finetuned_model_key,
        'table' as scope,
        '' as task,
        {{ leaderboard_comparability_key() }} as comparability_key,
        basis,
        as_of,
        base_eval_name,
        eval_name as finetuned_eval_name,
        base_model_id,
        finetuned_model_id,
        finetuned_kind,
        family,
        'leaderboard' as suite,
        case
            when emissions_ratio is null then 'cannot be told'
            when emissions_ratio > 1 then 'more, one row a side'
            else 'less, one row a side'
        end as verdict,
        case
            when emissions_ratio is null then emissions_reason
            else
                format(
                    '{:.3g} times the base''s CO2 for the leaderboard''s tasks ({})', emissions_ratio,
                    case
                        when basis = 'leaderboard_per_run' then 'one run each' else 'as published, repeated runs summed'
                    end
                )
        end as verdict_reason,
        0 as documents_paired,
        base_score,
        finetuned_score,
        finetuned_score - base_score as score_delta,
        case when finetuned_score is null or base_score is null then 'the table lacks a score' end as score_reason,
        'one row a side' as score_interval_reason,
        'cannot be told' as score_verdict,
        {{ leaderboard_energy_kwh('base_emissions_kg') }} as base_energy_kwh,
        {{ leaderboard_energy_kwh('finetuned_emissions_kg') }} as finetuned_energy_kwh,
        emissions_ratio as energy_ratio,
        'one row a side' as energy_interval_reason,
        'cannot be told' as energy_verdict,
        'nameplate power x hours' as energy_method,
        'the table counts no tokens' as tokens_interval_reason,
        'the table counts no correct answers' as joules_per_correct_reason,
        {{ comparability_hash(leaderboard_comparability_key()) }} as comparability_hash,
        evidence_hash
    from pairs
)

select * from final
