with source as (
    select * from {{ source('raw', 'task_results') }}
),

renamed as (
    select
        run_id,
        task,
        repetition,
        metric,
        filter,
        value,
        stderr,
        higher_is_better,
        is_primary,
        is_binary,
        n_documents,
        suite,
        chance,
        is_chance_stated,
        fingerprint,
        comparison_key as score_comparability_key,
        task_hash,
        task_version,
        output_type,
        num_fewshot,
        documents_limit,
        split_part(landed_file, '/', 2) as bundle
    from source
)

select * from renamed
