{{ config(
    materialized='incremental', incremental_strategy='by_row_version', on_schema_change='fail',
    unique_key=['as_of', 'eval_name'], meta={'versions': 'int_leaderboard_row_versions'}
) }}

with evaluations as (
    select * from {{ ref('int_leaderboard_models') }}
),

versions as (
    select * from {{ ref('int_leaderboard_row_versions') }} as row_versions
    where {{ is_missing('row_versions', ['as_of', 'eval_name']) }}
),

final as (
    select
        versions.as_of,
        versions.eval_name,
        versions.model_key,
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
        versions.emissions_per_run_kg,
        versions.per_run_method,
        versions.per_run_reason,
        versions.runs,
        versions.is_multi_run,
        versions.evidence_from,
        evaluations.submission_date,
        evaluations.upload_to_hub_date,
        versions.is_measured_here,
        versions.row_version
    from versions
    inner join evaluations
        on versions.as_of = evaluations.snapshot_date and versions.eval_name = evaluations.eval_name
)

select * from final
