with source as (
    select * from {{ source('raw', 'stops') }}
),

renamed as (
    select
        run_id,
        task,
        repetition,
        suite,
        tasks_json,
        until,
        width_points,
        margin_points,
        compare_with,
        reference_model_id,
        reference_json,
        stop_reason,
        documents_asked,
        documents_total,
        verdict,
        claim_chance,
        score_test,
        p_value,
        low,
        high,
        full_low,
        full_high,
        looks_json
    from source
)

select * from renamed
