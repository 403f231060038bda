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

metered as (
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
),

evaluations as (
    select * from {{ ref('fct_leaderboard_evaluations') }}
),

spans as (
    select
        eval_name,
        min(as_of) as first_listed_on,
        max(as_of) as last_listed_on
    from evaluations
    group by eval_name
),

newest_states as (
    select
        model_key,
        max(as_of) as as_of
    from evaluations
    group by model_key
),

-- A row of the leaderboard as its newest state has it. Two rows that are the same model metered here count once.
listed as (
    select
        evaluations.*,
        spans.first_listed_on,
        spans.last_listed_on
    from evaluations
    inner join newest_states
        on evaluations.model_key = newest_states.model_key and evaluations.as_of = newest_states.as_of
    inner join spans on evaluations.eval_name = spans.eval_name
    qualify row_number() over (partition by evaluations.model_key order by evaluations.eval_name) = 1
),

final as (
    select
        coalesce(metered.model_key, listed.model_key) as model_key,
        coalesce(metered.model_id, listed.model_id) as model_id,
        case
            when listed.model_key is null then 'measured'
            when metered.model_key is null then 'leaderboard'
            else 'measured and leaderboard'
        end as evidence,
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
