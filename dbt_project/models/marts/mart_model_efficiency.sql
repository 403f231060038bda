{{ config(
    materialized='incremental', incremental_strategy='by_row_version', on_schema_change='fail',
    unique_key=['as_of', 'eval_name', 'basis'], meta={'versions': 'int_leaderboard_efficiency'},
    post_hook="{{ renew_is_current() }}"
) }}

with measured as (
    select * from {{ ref('int_measured_efficiency') }}
),

leaderboard as (
    select * from {{ ref('int_leaderboard_efficiency') }} as all_rows
    where {{ is_missing('all_rows', ['as_of', 'eval_name', 'basis']) }}
),

models as (
    select * from {{ ref('dim_models') }}
),

final as (
    select
        measured.*,
        measured.model_key as eval_name,
        models.model_id,
        models.base_model_id,
        models.family,
        models.provider,
        models.kind,
        models.params_b,
        models.bucket
    from measured
    inner join models on measured.model_key = models.model_key
    union all by name
    select * from leaderboard
)

select * from final
