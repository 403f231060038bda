with pairs as (
    select * from {{ ref('int_compared_pairs') }}
),

tasks as (
    select * from {{ ref('int_task_efficiency') }}
    where is_planned
),

samples as (
    select * from {{ ref('int_documents') }}
),

-- Every task that either of the two was evaluated on.
pair_tasks as (
    select distinct
        pairs.comparability_key,
        pairs.base_model_key,
        pairs.finetuned_model_key,
        pairs.is_lineage,
        pairs.lacks_energy,
        tasks.task
    from pairs
    inner join tasks
        on
            pairs.comparability_key = tasks.comparability_key
            and tasks.model_key in (pairs.base_model_key, pairs.finetuned_model_key)
),

joined as (
    select
        pair_tasks.*,
        base.newest_run_id as base_run_id,
        base.newest_repetition as base_repetition,
        finetuned.newest_run_id as finetuned_run_id,
        finetuned.newest_repetition as finetuned_repetition,
        base.score_comparability_key = finetuned.score_comparability_key
        and base.metric = finetuned.metric
        and base.filter = finetuned.filter as is_same_question,
        pair_tasks.lacks_energy
        and base.energy_kwh is not null
        and finetuned.energy_kwh is not null as is_known_task
    from pair_tasks
    left join tasks as base
        on
            pair_tasks.comparability_key = base.comparability_key
            and pair_tasks.base_model_key = base.model_key
            and pair_tasks.task = base.task
    left join tasks as finetuned
        on
            pair_tasks.comparability_key = finetuned.comparability_key
            and pair_tasks.finetuned_model_key = finetuned.model_key
            and pair_tasks.task = finetuned.task
),

documents as (
    select
        *,
        {{ document_copy() }} as document_copy
    from samples
    where (run_id, task, repetition) in (
        select
            base_run_id,
            task,
            base_repetition
        from joined
        union
        select
            finetuned_run_id,
            task,
            finetuned_repetition
        from joined
    )
),

paired as (
    select
        joined.comparability_key,
        joined.base_model_key,
        joined.finetuned_model_key,
        joined.task,
        base.score as base_score,
        finetuned.score - base.score as score_difference,
        base.correct::int as base_correct,
        finetuned.correct::int as finetuned_correct,
        base.tokens_generated as base_tokens,
        finetuned.tokens_generated as finetuned_tokens
    from joined
    inner join documents as base
        on
            joined.base_run_id = base.run_id
            and joined.task = base.task
            and joined.base_repetition = base.repetition
    inner join documents as finetuned
        on
            joined.finetuned_run_id = finetuned.run_id
            and joined.task = finetuned.task
            and joined.finetuned_repetition = finetuned.repetition
            and base.document_hash = finetuned.document_hash
            and base.document_copy = finetuned.document_copy
    where joined.is_same_question
),

summed as (
    select
        comparability_key,
        base_model_key,
        finetuned_model_key,
        task,
        count(*) as documents,
        count(base_correct + finetuned_correct) as judged_documents,
        count(score_difference) as scored_documents,
        sum(base_score) as base_score,
        sum(score_difference) as score_difference,
        sum(pow(score_difference, 2)) as score_difference_squared,
        sum(base_correct)::bigint as base_correct,
        sum(finetuned_correct)::bigint as finetuned_correct,
        sum(base_correct * finetuned_correct)::bigint as both_correct,
        sum(base_tokens)::double as base_tokens,
        sum(finetuned_tokens)::double as finetuned_tokens,
        sum(base_tokens * base_tokens)::double as base_tokens_squared,
        sum(base_tokens * finetuned_tokens)::double as tokens_product,
        sum(finetuned_tokens * finetuned_tokens)::double as finetuned_tokens_squared
    from paired
    group by comparability_key, base_model_key, finetuned_model_key, task
),

final as (
    select
        joined.comparability_key,
        joined.base_model_key,
        joined.finetuned_model_key,
        joined.task,
        joined.is_lineage,
        coalesce(joined.is_same_question, false) as is_same_question,
        coalesce(joined.is_known_task, false) as is_known_task,
        coalesce(summed.documents, 0) as documents,
        coalesce(summed.judged_documents, 0) as judged_documents,
        coalesce(summed.scored_documents, 0) as scored_documents,
        summed.base_score,
        summed.score_difference,
        summed.score_difference_squared,
        summed.base_correct,
        summed.finetuned_correct,
        summed.both_correct,
        summed.base_tokens,
        summed.finetuned_tokens,
        summed.base_tokens_squared,
        summed.tokens_product,
        summed.finetuned_tokens_squared
    from joined
    left join summed
        on
            joined.comparability_key = summed.comparability_key
            and joined.base_model_key = summed.base_model_key
            and joined.finetuned_model_key = summed.finetuned_model_key
            and joined.task = summed.task
)

select * from final
