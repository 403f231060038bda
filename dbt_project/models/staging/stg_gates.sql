with source as (
    select * from {{ source('raw', 'gates') }}
),

renamed as (
    select
        gate_id,
        task,
        suite,
        candidate_model_id,
        candidate_model_key,
        compare_with,
        reference_model_id,
        reference_model_key,
        score_margin_points,
        energy_margin,
        passes_inconclusive,
        asked_at
    from source
)

select * from renamed
