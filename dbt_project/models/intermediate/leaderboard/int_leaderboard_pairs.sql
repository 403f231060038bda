{{ config(
    materialized='incremental', incremental_strategy='by_row_version', on_schema_change='fail'
) }}

with evaluations as (
    select * from {{ ref('int_leaderboard_by_basis') }} as by_basis
    where {{ is_of_a_missing_state('by_basis') }}
),

versions as (
    select * from {{ ref('int_leaderboard_state_versions') }}
),

final as (
    select
        finetuned.as_of,
        finetuned.basis,
        finetuned.eval_name,
        base.eval_name as base_eval_name,
        finetuned.model_key as finetuned_model_key,
        base.model_key as base_model_key,
        finetuned.model_id as finetuned_model_id,
        base.model_id as base_model_id,
        finetuned.kind as finetuned_kind,
        finetuned.provider,
        finetuned.family,
        finetuned.size_class,
        finetuned.bucket_published,
        -- A release by the base's own publisher, which extends the base's name: X-72B and X-72B-Instruct.
        finetuned.provider = 'official'
        and split_part(lower(finetuned.model_id), '/', 1) = split_part(lower(base.model_id), '/', 1)
        and starts_with(lower(finetuned.model_id), lower(base.model_id)) as is_official_release,
        finetuned.kind != 'merge' and base.kind != 'merge' as is_finetune,
        finetuned.is_in_study_population and base.is_in_study_population as is_in_study_population,
        coalesce(finetuned.chat_template_applied != base.chat_template_applied, true) as is_chat_template_different,
        abs(date_diff('month', finetuned.submission_date, base.submission_date)) as months_apart,
        base.score as base_score,
        finetuned.score as finetuned_score,
        base.emissions_kg as base_emissions_kg,
        finetuned.emissions_kg as finetuned_emissions_kg,
        coalesce(
            'base: ' || case when base.emissions_kg is null then base.emissions_reason end,
            'fine-tuned: ' || case when finetuned.emissions_kg is null then finetuned.emissions_reason end
        ) as emissions_reason,
        finetuned.emissions_kg / nullif(base.emissions_kg, 0) as emissions_ratio,
        versions.row_version
    from evaluations as finetuned
    inner join evaluations as base
        on
            finetuned.as_of = base.as_of
            and finetuned.basis = base.basis
            and finetuned.base_eval_name = base.eval_name
    inner join versions on finetuned.basis = versions.basis and finetuned.as_of = versions.as_of
)

select * from final
