{{ config(
    materialized='incremental', incremental_strategy='by_evidence', on_schema_change='fail',
    unique_key=['as_of', 'eval_name'], meta={'evidence': 'int_leaderboard_row_evidence'}
) }}

with evaluations as (
    select * from {{ ref('int_leaderboard_models') }}
),

evidence as (
    select * from {{ ref('int_leaderboard_row_evidence') }} as row_evidence
    where {{ is_missing('row_evidence', ['as_of', 'eval_name']) }}
),

final as (
    select
        evidence.as_of,
        evidence.eval_name,
        evidence.model_key,
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
        evidence.emissions_per_run_kg,
        evidence.per_run_method,
        evidence.per_run_reason,
        evidence.runs,
        evidence.is_multi_run,
        evidence.evidence_from,
        evaluations.submission_date,
        evaluations.upload_to_hub_date,
        evidence.is_measured_here,
        evidence.evidence_hash
    from evidence
    inner join evaluations
        on evidence.as_of = evaluations.snapshot_date and evidence.eval_name = evaluations.eval_name
)

select * from final
