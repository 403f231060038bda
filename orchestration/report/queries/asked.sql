-- Questions that were looked at before everything was asked: how much was asked, why no more, and what is known. The
-- interval of score_delta is about such questions in general, those of full_delta and full_score about the full run.
with evaluations as (
    select *
    from marts.fct_task_evaluations
    where is_valid or not is_complete
    qualify row_number() over (
        partition by machine_id, model_id, suite, task
        order by run_id desc, repetition asc
    ) = 1
),

looked_at as (
    select * from evaluations
    where stop_reason is not null or not is_complete
),

compared_tasks as (
    select * from marts.mart_base_vs_finetuned_deltas
    where basis = 'measured' and scope = 'task'
),

tasks as (
    select
        'task' as scope,
        looked_at.comparability_key,
        looked_at.model_id as model,
        deltas.base_model_id as reference,
        looked_at.suite,
        looked_at.task,
        looked_at.is_complete,
        looked_at.documents_asked,
        looked_at.documents_total,
        looked_at.stop_reason,
        100 * if(looked_at.higher_is_better, looked_at.score, 1 - looked_at.score) as score_points,
        100 * if(looked_at.higher_is_better, looked_at.score_low, 1 - looked_at.score_high) as score_points_low,
        100 * if(looked_at.higher_is_better, looked_at.score_high, 1 - looked_at.score_low) as score_points_high,
        looked_at.full_score_low,
        looked_at.full_score_high,
        deltas.score_test,
        deltas.score_verdict,
        deltas.score_p_adjusted,
        deltas.score_delta,
        deltas.score_delta_low,
        deltas.score_delta_high,
        deltas.score_interval_reason,
        deltas.full_delta_low,
        deltas.full_delta_high,
        looked_at.joules_saved,
        looked_at.joules_saved_method
    from looked_at
    left join compared_tasks as deltas
        on
            looked_at.model_key = deltas.finetuned_model_key
            and looked_at.comparability_key = deltas.comparability_key
            and looked_at.task = deltas.task
),

suites as (
    select
        deltas.scope,
        deltas.comparability_key,
        deltas.finetuned_model_id as model,
        deltas.base_model_id as reference,
        deltas.suite,
        deltas.task,
        deltas.is_complete,
        deltas.documents_asked,
        deltas.documents_total,
        deltas.stop_reason,
        null as score_points,
        null as score_points_low,
        null as score_points_high,
        null as full_score_low,
        null as full_score_high,
        deltas.score_test,
        deltas.score_verdict,
        deltas.score_p_adjusted,
        deltas.score_delta,
        deltas.score_delta_low,
        deltas.score_delta_high,
        deltas.score_interval_reason,
        deltas.full_delta_low,
        deltas.full_delta_high,
        null as joules_saved,
        null as joules_saved_method
    from marts.mart_base_vs_finetuned_deltas as deltas
    where
        deltas.basis = 'measured'
        and deltas.scope = 'suite'
        and (deltas.stop_reason is not null or not deltas.is_complete)
        and exists (
            select 1 from looked_at
            where
                looked_at.model_key = deltas.finetuned_model_key
                and looked_at.comparability_key = deltas.comparability_key
        )
)

select * from tasks
union all
select * from suites
order by model, suite, comparability_key, scope, task
