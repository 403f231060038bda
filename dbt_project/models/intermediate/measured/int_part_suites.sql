with stops as (
    select * from {{ ref('int_question_stops') }}
    where scope = 'suite' and is_newest
),

stopped as (
    select * from {{ ref('int_stopped_tasks') }}
    where stopped_task = ''
),

parts as (
    select * from {{ ref('int_part_evaluations') }}
),

pairs as (
    select * from {{ ref('int_part_pairs') }}
),

whole_evaluations as (
    select * from {{ ref('int_task_evaluations') }}
    where is_valid
),

newest_whole as (
    select *
    from whole_evaluations
    qualify row_number() over (partition by fingerprint, repetition order by run_started_at desc, run_id desc) = 1
),

-- Of a task that is asked in full both models' scores are those of all documents.
tasks as (
    select
        stopped.run_id,
        stopped.repetition,
        stopped.task,
        stopped.weight,
        base.model_key as base_model_key,
        base.run_started_at as base_run_started_at,
        parts.run_id as part_run_id,
        pairs.task is not null as is_paired,
        parts.model_key as finetuned_model_key,
        parts.base_model_id = base.model_id as is_lineage,
        parts.comparability_key,
        parts.whole_comparability_key,
        parts.suite,
        parts.energy_method,
        parts.run_started_at,
        coalesce(parts.setting, whole.setting) as setting,
        coalesce(parts.documents_asked, whole.n_documents) as documents_asked,
        coalesce(pairs.documents, least(whole.n_documents, base.n_documents)) as documents,
        case
            when pairs.task is not null then {{ score_normalised('pairs.finetuned_share', 'parts.chance') }}
            else whole.score_normalised
        end as finetuned_score,
        case
            when pairs.task is not null then {{ score_normalised('pairs.base_share', 'parts.chance') }}
            else base.score_normalised
        end as base_score,
        case
            when parts.task is not null then parts.energy_kwh_estimate
            when whole.energy_reason is null then whole.energy_kwh
        end as energy_kwh_estimate,
        coalesce(pairs.is_same_question, whole.score_comparability_key = base.score_comparability_key)
            as is_same_question
    from stopped
    left join parts
        on stopped.fingerprint = parts.fingerprint and stopped.repetition = parts.repetition
    left join pairs
        on stopped.fingerprint = pairs.fingerprint and stopped.repetition = pairs.repetition
    left join newest_whole as whole
        on stopped.fingerprint = whole.fingerprint and stopped.repetition = whole.repetition
    left join whole_evaluations as base
        on
            stopped.reference_run_id = base.run_id
            and stopped.task = base.task
            and stopped.reference_repetition = base.repetition
),

summed as (
    select
        run_id,
        repetition,
        max(base_model_key) as base_model_key,
        count(distinct base_model_key) = 1 and count(*) = count(base_model_key) as is_one_base,
        max(finetuned_model_key) as finetuned_model_key,
        coalesce(bool_and(is_lineage), false) as is_lineage,
        arg_max(comparability_key, part_run_id) as comparability_key,
        arg_max(whole_comparability_key, part_run_id) as whole_comparability_key,
        arg_max(suite, part_run_id) as suite,
        arg_max(energy_method, part_run_id) as energy_method,
        greatest(max(base_run_started_at), max(run_started_at)) as run_started_at,
        -- Each part is compared, and at least one task is a part.
        count(part_run_id) > 0 and count(part_run_id) = count(*) filter (where is_paired) as is_part,
        sum(documents_asked) as documents_asked,
        sum(documents)::bigint as documents,
        count(*) as tasks_paired,
        string_agg(task, ', ' order by task) as tasks_compared,
        sum(weight * base_score order by task) / sum(weight order by task) as base_score,
        sum(weight * finetuned_score order by task) / sum(weight order by task) as finetuned_score,
        count(*) = count(base_score + finetuned_score) as is_scored,
        bool_and(is_same_question) as is_same_question,
        bool_or(least(base_score, finetuned_score) <= 0) as is_clipped,
        case when count(distinct setting) = 1 then {{ whole_sum('energy_kwh_estimate', 'true') }} end
            as energy_kwh_estimate
    from tasks
    group by run_id, repetition
),

final as (
    select
        'suite' as scope,
        '' as task,
        summed.run_id as stop_run_id,
        summed.* exclude (run_id, is_part, is_one_base, documents_asked, is_scored, is_same_question),
        case
            when not summed.is_same_question then 'asked_differently'
            when not summed.is_scored then 'score_not_known'
            when summed.documents < summed.documents_asked then 'different_documents'
            when stops.p_value is null and summed.is_clipped then 'at_or_below_chance'
        end as score_test_reason_code
    from summed
    inner join stops
        on
            summed.run_id = stops.run_id
            and summed.repetition = stops.repetition
            and summed.documents_asked = stops.documents_asked
    where summed.is_part and summed.is_one_base
)

select * from final
