with metered as (
    select * from {{ ref('int_metered_models') }}
),

listed as (
    select * from {{ ref('int_listed_models') }}
),

final as (
    select
        coalesce(metered.model_key, listed.model_key) as model_key,
        coalesce(metered.model_id, listed.model_id) as model_id,
        case
            when listed.model_key is null then 'measured'
            when metered.model_key is null then 'leaderboard'
            else 'measured and leaderboard'
        end as basis,
        listed.eval_name,
        coalesce(metered.base_model_id, listed.base_published) as base_model_id,
        listed.base_reason,
        coalesce(metered.family, listed.family) as family,
        case when metered.family is not null then 'catalogue' else listed.family_source end as family_source,
        coalesce(metered.provider, listed.provider) as provider,
        coalesce(metered.kind, listed.kind) as kind,
        case when metered.kind is not null then 'as the catalogue states' else listed.kind_reason end as kind_reason,
        coalesce(metered.source, 'leaderboard') as source,
        coalesce(metered.source_ref, listed.model_id) as source_ref,
        coalesce(metered.revision, listed.revision) as revision,
        metered.adapter_revision,
        coalesce(metered.architecture, listed.architecture) as architecture,
        listed.is_moe,
        listed.is_moe_published,
        case when metered.model_key is null then listed.params_trusted_b else metered.params_b end as params_b,
        metered.params_stated_b,
        metered.active_params_b,
        listed.params_published_b,
        listed.params_name_b,
        case when metered.model_key is null then listed.params_reason else metered.params_source end as params_reason,
        coalesce(metered.bucket, listed.bucket_trusted) as bucket,
        case
            when metered.model_key is not null then metered.params_source
            when listed.params_trusted_b is not null then 'trusted'
        end as params_source,
        metered.quantization,
        coalesce(metered.dtype, listed.precision) as dtype,
        coalesce(metered.chat_template_applied, listed.chat_template_applied) as chat_template_applied,
        metered.chat_template_hash,
        metered.tokenizer_hash,
        metered.first_run_at,
        metered.last_run_at,
        listed.first_listed_on,
        listed.last_listed_on
    from metered
    full outer join listed on metered.model_key = listed.model_key
)

select * from final
