with results as (
    select * from {{ ref('stg_task_results') }}
    where is_primary
),

metrics as (
    select * from {{ ref('metrics') }}
),

plans as (
    select
        run_id,
        started_at,
        unnest(map_entries(
            from_json(task_evaluations_json, '"map(varchar, struct(evaluation varchar, scale double))"')
        )) as planned
    from {{ ref('stg_evaluation_runs') }}
    where task_evaluations_json is not null
),

-- What a suite states about a metric holds for the metric, including rows landed earlier or by another model.
stated as (
    select
        results.task,
        results.metric,
        arg_max(plans.planned.value.scale, (plans.started_at, plans.run_id)) as scale
    from plans
    inner join results on plans.planned.key = results.task and plans.planned.value.evaluation = results.bundle
    where plans.planned.value.scale is not null
    group by results.task, results.metric
),

documents as (
    select
        run_id,
        task,
        repetition,
        count(score) as scored_documents,
        avg(score) as mean_score,
        avg(1.0 / nullif(requests, 0)) as one_in_requests
    from {{ ref('stg_samples') }}
    group by run_id, task, repetition
),

joined as (
    select
        results.*,
        stated.scale as stated_scale,
        metrics.scale as known_scale,
        metrics.no_scale,
        metrics.chance as known_chance,
        metrics.metric is not null as is_known,
        -- A task may compute a share under the name of a binary metric, and whether an unknown metric is binary shows
        -- only in the documents. Those of a single model may happen to be all 0 or 1.
        bool_and(results.is_binary) over same_question and coalesce(metrics.is_binary, true) as says_correct,
        bool_and(
            coalesce(
                documents.scored_documents = results.n_documents
                and abs(documents.mean_score - results.value) < 1e-6, false
            )
        ) over same_question as is_mean,
        max(abs(results.value)) over same_question as largest_value,
        -- Rows landed before this was recorded: one divided by the number of choices was not stated.
        coalesce(
            results.is_chance_stated,
            case
                when results.output_type = 'multiple_choice'
                    then abs(results.chance - documents.one_in_requests) > 1e-9
            end,
            true
        ) as is_chance_kept
    from results
    left join stated on results.task = stated.task and results.metric = stated.metric
    left join documents
        on
            results.run_id = documents.run_id
            and results.task = documents.task
            and results.repetition = documents.repetition
    left join metrics
        on
            results.metric = metrics.metric
            and coalesce(results.output_type = metrics.output_type, true)
            and not (metrics.is_corpus_metric and coalesce(documents.scored_documents, 0) > 0)
    window
        same_question as (
            partition by results.task, results.metric, results.filter, results.task_hash
        )
),

scaled as (
    select
        *,
        case
            when stated_scale is not null then stated_scale
            when is_known then known_scale
            -- The mean of values that are 0 or 1.
            when says_correct and is_mean then 1
        end as expected_scale
    from joined
),

oriented as (
    select
        *,
        case when largest_value <= expected_scale * (1 + 1e-9) then expected_scale end as scale,
        case
            when is_chance_kept then chance
            when is_known then coalesce(known_chance, chance)
            when says_correct then chance
            else 0
        end as guessed_share,
        case
            when largest_value > expected_scale * (1 + 1e-9)
                then
                    format(
                        '{} of {} has a value beyond its scale of {:g}: state `scale` in the suite', metric, task,
                        expected_scale
                    )
            when expected_scale is not null then null
            when is_known then metric || ' is ' || no_scale || ', which has no scale'
            else 'the scale of ' || metric || ' is not known: state `scale` in the suite'
        end as scale_reason
    from scaled
),

shared as (
    select
        * exclude (chance, is_binary),
        says_correct as is_binary,
        guessed_share as chance,
        {{ score_share('value', 'scale', 'higher_is_better') }} as score_share
    from oriented
),

final as (
    select
        run_id,
        task,
        repetition,
        bundle,
        fingerprint,
        score_comparability_key,
        metric,
        filter,
        value as score,
        stderr as score_stderr,
        higher_is_better,
        scale,
        scale_reason,
        is_binary,
        chance,
        score_share,
        {{ score_normalised('score_share', 'chance') }} as score_normalised,
        n_documents,
        output_type,
        num_fewshot,
        documents_limit
    from shared
)

select * from final
