with parts as (
    select
        *,
        unnest(range(first_place, last_place + 1)) as place
    from {{ ref('stg_parts') }}
),

validity as (
    select * from {{ ref('int_run_validity') }}
    where invalid_reason is null
),

newest as (
    select
        parts.task,
        parts.fingerprint,
        parts.repetition,
        parts.place,
        parts.run_id,
        parts.first_place,
        parts.last_place
    from parts
    inner join validity on parts.run_id = validity.run_id
    qualify row_number() over (
        partition by parts.task, parts.fingerprint, parts.repetition, parts.place
        order by parts.run_id desc, parts.first_place desc
    ) = 1
)

select * from newest
