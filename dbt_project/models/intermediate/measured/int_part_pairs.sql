with evaluations as (
    select * from {{ ref('int_part_evaluations') }}
),

stopped as (
    select * from {{ ref('int_stopped_tasks') }}
    where stopped_task != ''
),

whole_evaluations as (
    select * from {{ ref('int_task_evaluations') }}
    where is_valid
),

current_models as (
    select * from {{ ref('int_compared_models') }}
    where is_current
),

part_documents as (
    select * from {{ ref('int_part_documents') }}
),

documents as (
    select * from {{ ref('int_documents') }}
),

-- As among complete evaluations, a model's newest revision is compared.
newest as (
    select evaluations.*
    from evaluations
    left join current_models
        on
            evaluations.whole_comparability_key = current_models.comparability_key
            and evaluations.model_id = current_models.model_id
            and evaluations.model_key != current_models.model_key
            and evaluations.run_started_at < current_models.run_started_at
    where current_models.model_key is null
    qualify row_number() over (
        partition by evaluations.comparability_key, evaluations.model_id, evaluations.task
        order by evaluations.run_started_at desc, evaluations.run_id desc, evaluations.repetition asc
    ) = 1
),

pairs as (
    select
        newest.task,
        newest.fingerprint,
        newest.repetition,
        base.model_key as base_model_key,
        base.run_id as base_run_id,
        base.repetition as base_repetition,
        base.suite as base_suite,
        base.run_started_at as base_run_started_at,
        coalesce(newest.base_model_id = base.model_id, false) as is_lineage,
        base.score_comparability_key = newest.whole_score_comparability_key
        and base.metric = newest.metric
        and base.filter = newest.filter as is_same_question
    from newest
    inner join stopped
        on
            newest.stop_run_id = stopped.run_id
            and newest.task = stopped.task
            and newest.repetition = stopped.repetition
    inner join whole_evaluations as base
        on
            stopped.reference_run_id = base.run_id
            and stopped.task = base.task
            and stopped.reference_repetition = base.repetition
            and newest.model_key != base.model_key
),

answered as (
    select
        pairs.task,
        pairs.fingerprint,
        pairs.repetition,
        count(base.correct::int + part_documents.correct::int) as documents,
        avg(base.correct::int) as base_share,
        avg(part_documents.correct::int) as finetuned_share
    from pairs
    inner join part_documents
        on
            pairs.task = part_documents.task
            and pairs.fingerprint = part_documents.fingerprint
            and pairs.repetition = part_documents.repetition
    inner join documents as base
        on
            pairs.base_run_id = base.run_id
            and pairs.task = base.task
            and pairs.base_repetition = base.repetition
            and part_documents.document_id = base.document_id
            and part_documents.document_hash = base.document_hash
    where pairs.is_same_question
    group by pairs.task, pairs.fingerprint, pairs.repetition
),

final as (
    select
        pairs.*,
        coalesce(answered.documents, 0) as documents,
        answered.base_share,
        answered.finetuned_share
    from pairs
    left join answered
        on
            pairs.task = answered.task
            and pairs.fingerprint = answered.fingerprint
            and pairs.repetition = answered.repetition
)

select * from final
