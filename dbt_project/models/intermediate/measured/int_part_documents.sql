{{ config(materialized='view') }}

with places as (
    select * from {{ ref('int_asked_places') }}
),

samples as (
    select * from {{ ref('stg_part_samples') }}
),

questions as (
    select * from {{ ref('int_part_questions') }}
),

final as (
    select
        places.task,
        places.fingerprint,
        places.repetition,
        places.place,
        samples.document_id,
        samples.document_hash,
        samples.requests,
        samples.tokens_prompt,
        samples.tokens_generated,
        case when questions.is_binary then (samples.score != 0) = questions.higher_is_better end as correct
    from places
    inner join samples
        on
            places.run_id = samples.run_id
            and places.task = samples.task
            and places.repetition = samples.repetition
            and places.place = samples.place
    inner join questions
        on
            places.task = questions.task
            and places.fingerprint = questions.fingerprint
            and places.repetition = questions.repetition
)

select * from final
