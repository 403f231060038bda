with source as (
    select * from {{ source('raw', 'part_samples') }}
),

renamed as (
    select
        run_id,
        task,
        repetition,
        document_id,
        place,
        document_hash,
        prompt_hash,
        target_hash,
        metric,
        filter,
        score,
        requests,
        tokens_prompt,
        tokens_generated,
        characters_generated
    from source
)

select * from renamed
