with source as (
    select * from {{ source('raw', 'leaderboard_snapshots') }}
),

renamed as (
    select
        snapshot_date,
        eval_name,
        source,
        precision,
        model_type,
        model_type_symbol,
        weight_type,
        architecture,
        fullname,
        model_sha,
        average,
        hub_license,
        hub_likes,
        case when params_b > 0 then params_b end as params_published_b,
        available_on_hub,
        moe,
        flagged,
        chat_template,
        nullif(emissions_published_kg, -1) as emissions_published_kg,
        ifeval_raw,
        ifeval,
        bbh_raw,
        bbh,
        math_lvl_5_raw,
        math_lvl_5,
        gpqa_raw,
        gpqa,
        musr_raw,
        musr,
        mmlu_pro_raw,
        mmlu_pro,
        merged,
        official_providers,
        upload_to_hub_date,
        submission_date,
        generation,
        base_model,
        model_html
    from source
)

select * from renamed
