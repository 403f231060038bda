{{ config(
    materialized='incremental', incremental_strategy='by_row_version', on_schema_change='fail'
) }}

with measured as (
    select * exclude (energy_repetitions, is_until_precise, is_lineage)
    from {{ ref('int_measured_deltas') }}
    where is_lineage
),

leaderboard as (
    select * from {{ ref('int_leaderboard_deltas') }} as all_rows
    where {{ is_of_a_missing_state('all_rows') }}
),

final as (
    select
        *,
        base_model_key as base_eval_name,
        finetuned_model_key as finetuned_eval_name
    from measured
    union all by name
    select
        *,
        true as is_complete
    from leaderboard
)

select * from final
