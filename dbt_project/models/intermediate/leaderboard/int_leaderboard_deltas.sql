{{ config(materialized='view') }}

with pairs as (
    select * from {{ ref('int_leaderboard_pairs') }}
),

-- One row on each side shows which emits more, but not whether that is chance.
judged as (
    select
        *,
        case
            when emissions_ratio is null then 'undetermined'
            when emissions_ratio > 1 then 'more'
            else 'less'
        end as verdict_code,
        case when emissions_ratio is null then 'emissions_not_known' else 'one_row_a_side' end as reason_code,
        case when finetuned_score is null or base_score is null then 'score_not_known' end as score_reason_code,
        'one_row_a_side' as interval_reason_code,
        'undetermined' as interval_verdict_code
    from pairs
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
        verdict_code,
        reason_code,
        {{ verdict_in_words('verdict_code', 'reason_code') }} as verdict,
        case verdict_code
            when 'undetermined' then emissions_reason
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
        score_reason_code,
        case score_reason_code when 'score_not_known' then 'the table lacks a score' end as score_reason,
        interval_reason_code as score_interval_reason_code,
        {{ reason_in_words('interval_reason_code') }} as score_interval_reason,
        interval_verdict_code as score_verdict_code,
        {{ in_words('interval_verdict_code') }} as score_verdict,
        {{ leaderboard_energy_kwh('base_emissions_kg') }} as base_energy_kwh,
        {{ leaderboard_energy_kwh('finetuned_emissions_kg') }} as finetuned_energy_kwh,
        emissions_ratio as energy_ratio,
        interval_reason_code as energy_interval_reason_code,
        {{ reason_in_words('interval_reason_code') }} as energy_interval_reason,
        interval_verdict_code as energy_verdict_code,
        {{ in_words('interval_verdict_code') }} as energy_verdict,
        'nameplate power x hours' as energy_method,
        'not_in_the_table' as tokens_interval_reason_code,
        'the table counts no tokens' as tokens_interval_reason,
        'not_in_the_table' as joules_per_correct_reason_code,
        'the table counts no correct answers' as joules_per_correct_reason,
        {{ comparability_hash(leaderboard_comparability_key()) }} as comparability_hash,
        row_version
    from judged
)

select * from final
