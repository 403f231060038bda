with tasks as (
    select * from {{ ref('int_task_efficiency') }}
    where is_planned
),

paired as (
    select * from {{ ref('int_paired_tasks') }}
),

-- A task's paired documents: once for the task's own row, once as a stratum of the suite, and once more if the suite's
-- energy is unknown and the task's is known.
strata as (
    select
        paired.*,
        scopes.scope,
        case when scopes.scope = 'task' then paired.task else '' end as scope_task,
        base.suite_weight as weight,
        base.chance,
        paired.finetuned_correct - paired.both_correct as only_finetuned,
        paired.base_correct - paired.both_correct as only_base,
        coalesce(base.is_binary and finetuned.is_binary, false) as is_binary,
        coalesce(base.is_generative, false) as is_generative,
        -- The metric is the mean of the documents' scores, on both sides.
        coalesce(
            paired.scored_documents = paired.documents
            and abs(base.score * paired.documents - paired.base_score) < 1e-6 * paired.documents
            and abs(
                finetuned.score * paired.documents - paired.base_score - paired.score_difference
            ) < 1e-6 * paired.documents,
            false
        ) as is_mean,
        coalesce(base.score_share <= base.chance or finetuned.score_share <= base.chance, true) as is_clipped,
        -- Converts a difference of the metric to one of shares, where more is better; if the scale is unknown, the unit
        -- stays the metric's.
        case when base.higher_is_better then 1 else -1 end / coalesce(base.scale, 1) as share_of_unit,
        coalesce(paired.documents = base.n_documents and paired.documents = finetuned.n_documents, false)
            as is_paired,
        sum(paired.base_correct) over same_scope as total_base_correct,
        sum(paired.finetuned_correct) over same_scope as total_finetuned_correct,
        sum(paired.base_tokens) over same_scope as total_base_tokens,
        sum(paired.finetuned_tokens) over same_scope as total_finetuned_tokens
    from paired
    cross join (values ('task'), ('suite'), ('known_tasks')) as scopes (scope) -- noqa: AL05
    left join tasks as base
        on
            paired.comparability_key = base.comparability_key
            and paired.base_model_key = base.model_key
            and paired.task = base.task
    left join tasks as finetuned
        on
            paired.comparability_key = finetuned.comparability_key
            and paired.finetuned_model_key = finetuned.model_key
            and paired.task = finetuned.task
    where scopes.scope != 'known_tasks' or paired.is_known_task
    window
        same_scope as (
            partition by
                paired.comparability_key, paired.base_model_key, paired.finetuned_model_key,
                scopes.scope, case when scopes.scope = 'task' then paired.task else '' end
        )
),

with_variances as (
    select
        *,
        case
            when is_binary
                then {{ paired_difference_variance('judged_documents', 'only_finetuned', 'only_base') }}
            when is_mean
                then
                    pow(share_of_unit, 2)
                    * {{ mean_variance('documents', 'score_difference', 'score_difference_squared') }}
        end as difference_variance,
        case
            when is_binary then {{ paired_difference('judged_documents', 'only_finetuned', 'only_base') }}
            when is_mean then share_of_unit * score_difference / documents
        end as difference
    from strata
),

statistics as (
    select
        comparability_key,
        base_model_key,
        finetuned_model_key,
        scope,
        scope_task as task,
        count(*) as tasks_paired,
        string_agg(with_variances.task, ', ' order by with_variances.task) as tasks_compared,
        sum(documents)::bigint as documents,
        (sum(judged_documents) filter (where is_binary))::bigint as judged_documents,
        bool_and(is_lineage) as is_lineage,
        bool_and(is_same_question) as is_same_question,
        bool_and(is_binary) as is_binary,
        bool_and(difference_variance is not null) as has_difference,
        bool_and(is_paired) as is_paired,
        bool_or(is_clipped) as is_clipped,
        bool_and(is_paired) filter (where is_binary) as is_judged,
        bool_and(is_paired) filter (where is_generative) as is_counted,
        sum(only_base) filter (where is_binary) as only_base,
        sum(only_finetuned) filter (where is_binary) as only_finetuned,
        -- For a task's row, which has one stratum.
        any_value(100 * difference) filter (where scope = 'task') as task_centre,
        any_value(100 * sqrt(difference_variance)) filter (where scope = 'task') as task_error,
        -- For a suite's score: tasks are independent strata, so their variances add with squared weights.
        sum(
            pow(weight * 100 / (1 - chance), 2) * difference_variance order by task
        ) / pow(sum(weight order by task), 2) as score_variance,
        any_value(total_finetuned_tokens / nullif(total_base_tokens, 0)) as tokens_ratio,
        sum({{ log_ratio_variance_part(
            'documents', 'base_tokens', 'finetuned_tokens', 'base_tokens_squared', 'tokens_product',
            'finetuned_tokens_squared', 'nullif(total_base_tokens, 0)', 'nullif(total_finetuned_tokens, 0)'
        ) }} order by task) filter (where is_generative) as tokens_log_variance,
        sum({{ log_ratio_variance_part(
            'judged_documents', 'base_correct', 'finetuned_correct', 'base_correct', 'both_correct',
            'finetuned_correct', 'nullif(total_base_correct, 0)', 'nullif(total_finetuned_correct, 0)'
        ) }} order by task) filter (where is_binary) as correct_log_variance
    from with_variances
    group by comparability_key, base_model_key, finetuned_model_key, scope, scope_task
),

final as (
    select
        * exclude (score_variance),
        case when has_difference then score_variance end as score_variance,
        case
            when is_binary and is_judged then {{ exact_mcnemar('statistics.only_base', 'statistics.only_finetuned') }}
        end as mcnemar_p_value
    from statistics
)

select * from final
