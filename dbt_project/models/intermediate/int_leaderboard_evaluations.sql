with evaluations as (
    select * from {{ ref('int_leaderboard_models') }}
),

runs as (
    select * from {{ ref('int_leaderboard_runs') }}
),

measured as (
    select * from {{ ref('stg_models') }}
),

-- A model metered here is the same one only where commit, name, precision and chat template agree and no adapter is
-- suspected: adapters carry their base's commit.
identities as (
    select
        evaluations.snapshot_date,
        evaluations.eval_name,
        arg_max(measured.model_key, measured.run_id) as model_key
    from evaluations
    inner join measured
        on
            evaluations.revision = measured.revision
            and {{ model_alias('evaluations.name_key') }} = {{ model_alias('lower(measured.source_ref)') }}
            and evaluations.precision = measured.dtype
            and evaluations.chat_template_applied = measured.chat_template_applied
    where
        measured.source = 'hub'
        and measured.adapter_revision is null
        and measured.quantization is null
        and coalesce(evaluations.weight_type != 'Adapter', true)
    group by evaluations.snapshot_date, evaluations.eval_name
),

-- Two rows of one state cannot both be it.
certain_identities as (
    select *
    from identities
    qualify count(*) over (partition by snapshot_date, model_key) = 1
),

final as (
    select
        evaluations.snapshot_date as as_of,
        evaluations.eval_name,
        coalesce(certain_identities.model_key, left(sha256('open-llm-leaderboard/' || evaluations.eval_name), 16))
            as model_key,
        evaluations.model_id,
        evaluations.revision,
        evaluations.precision,
        evaluations.chat_template_applied,
        evaluations.provider,
        evaluations.kind,
        evaluations.kind_published,
        evaluations.kind_reason,
        evaluations.architecture,
        evaluations.is_moe,
        evaluations.is_moe_published,
        evaluations.is_flagged,
        evaluations.params_published_b,
        evaluations.params_name_b,
        evaluations.params_trusted_b,
        evaluations.params_reason,
        evaluations.bucket_published,
        evaluations.bucket_trusted,
        evaluations.family,
        evaluations.family_source,
        evaluations.family_params_b,
        evaluations.size_class,
        evaluations.base_published,
        evaluations.base_eval_name,
        evaluations.root_key as root_model,
        evaluations.base_reason,
        evaluations.is_in_study_population,
        evaluations.score,
        evaluations.score_published,
        evaluations.ifeval_score,
        evaluations.bbh_score,
        evaluations.math_lvl_5_score,
        evaluations.gpqa_score,
        evaluations.musr_score,
        evaluations.mmlu_pro_score,
        evaluations.emissions_published_kg,
        case when evaluations.emissions_published_kg is not null then runs.emissions_per_run_kg end
            as emissions_per_run_kg,
        case when evaluations.emissions_published_kg is not null then runs.per_run_method end as per_run_method,
        case
            when evaluations.emissions_published_kg is null then 'the table has no CO2 for it'
            else runs.per_run_reason
        end as per_run_reason,
        greatest(round(evaluations.emissions_published_kg / runs.emissions_per_run_kg), 1)::bigint as runs,
        coalesce(evaluations.emissions_published_kg / runs.emissions_per_run_kg >= 1.5, false) as is_multi_run,
        runs.evidence_from,
        runs.evidence_through,
        evaluations.submission_date,
        evaluations.upload_to_hub_date,
        certain_identities.model_key is not null as is_measured_here
    from evaluations
    left join runs on evaluations.eval_name = runs.eval_name
    left join certain_identities
        on
            evaluations.snapshot_date = certain_identities.snapshot_date
            and evaluations.eval_name = certain_identities.eval_name
)

select * from final
