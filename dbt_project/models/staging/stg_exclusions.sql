with source as (
    select * from {{ source('raw', 'exclusions') }}
),

renamed as (
    select
        exclusion_id,
        run_id,
        is_excluded,
        reason,
        decided_by,
        decided_at
    from source
)

select * from renamed
