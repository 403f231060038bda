with decisions as (
    select * from {{ ref('stg_exclusions') }}
),

latest as (
    select *
    from decisions
    qualify row_number() over (partition by run_id order by exclusion_id desc) = 1
),

final as (
    select
        run_id,
        format(
            'excluded: {} ({}, {})', reason, decided_by, strftime(decided_at at time zone 'UTC', '%Y-%m-%d')
        ) as excluded_reason
    from latest
    where is_excluded
)

select * from final
