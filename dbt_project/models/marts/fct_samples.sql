{{ config(
    materialized='incremental', incremental_strategy='append', on_schema_change='fail',
    pre_hook="{{ forget_judged_otherwise(ref('int_task_scores')) }}"
) }}

with samples as (
    select * from {{ ref('int_documents') }}
    {% if is_incremental() %}
        -- The documents of a task evaluation land together and never change.
        where (run_id, task, repetition) not in (
            select distinct
                run_id,
                task,
                repetition
            from {{ this }}
        )
    {% endif %}
),

final as (
    select
        run_id,
        task,
        repetition,
        document_hash,
        {{ document_copy() }} as document_copy,
        document_id,
        prompt_hash,
        target_hash,
        metric,
        filter,
        score,
        correct,
        requests,
        tokens_prompt,
        tokens_generated,
        characters_generated
    from samples
)

select * from final
