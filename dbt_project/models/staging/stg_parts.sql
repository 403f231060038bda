with source as (
    select * from {{ source('raw', 'parts') }}
),

renamed as (
    select
        run_id,
        task,
        repetition,
        first_place,
        last_place,
        documents_total,
        suite,
        metric,
        filter,
        higher_is_better,
        is_binary,
        chance,
        is_chance_stated,
        fingerprint,
        comparison_key as score_comparability_key,
        task_hash,
        task_version,
        output_type,
        num_fewshot,
        split_part(landed_file, '/', 2) as bundle
    from source
)

select * from renamed
