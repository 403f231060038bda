with models as (
    select * from {{ ref('stg_models') }}
),

runs as (
    select * from {{ ref('stg_evaluation_runs') }}
),

buckets as (
    select * from {{ ref('size_buckets') }}
),

loads as (
    select
        models.*,
        runs.started_at,
        min(runs.started_at) over (partition by models.model_key) as first_run_at,
        max(runs.started_at) over (partition by models.model_key) as last_run_at
    from models
    inner join runs on models.run_id = runs.run_id
),

newest as (
    select *
    from loads
    qualify row_number() over (partition by model_key order by started_at desc, run_id desc) = 1
),

final as (
    select
        newest.model_key,
        newest.model_id,
        newest.base_model as base_model_id,
        newest.family,
        newest.provider,
        newest.kind,
        newest.source,
        newest.source_ref,
        newest.revision,
        newest.adapter_revision,
        newest.architecture,
        newest.params_b,
        newest.params_stated_b,
        newest.active_params_b,
        buckets.bucket,
        case
            when newest.params_b is not null then 'counted'
            when newest.params_stated_b is not null then 'stated'
        end as params_source,
        newest.quantization,
        newest.dtype,
        newest.chat_template_applied,
        newest.chat_template_hash,
        newest.tokenizer_hash,
        newest.first_run_at,
        newest.last_run_at
    from newest
    left join buckets
        on
            coalesce(newest.params_b, newest.params_stated_b) >= buckets.params_from_b
            and coalesce(newest.params_b, newest.params_stated_b) < coalesce(buckets.params_below_b, 'infinity')
)

select * from final
