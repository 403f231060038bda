with tasks as (
    select * from {{ ref('int_task_efficiency') }}
    where is_planned
),

plans as (
    select
        suite,
        suite_version,
        model_key,
        count(distinct task) as tasks_planned
    from {{ ref('int_suite_plans') }}
    where is_planned
    group by suite, suite_version, model_key
),

models as (
    select
        model_key,
        arg_max(model_id, run_id) as model_id,
        arg_max(base_model, run_id) as base_model_id
    from {{ ref('stg_models') }}
    group by model_key
),

measured as (
    select
        comparability_key,
        model_key,
        any_value(machine_id) as machine_id,
        any_value(suite) as suite,
        any_value(suite_version) as suite_version,
        max(run_started_at) as run_started_at,
        count(*) as tasks_covered,
        count(*) = count(score_normalised) as is_scored,
        count(*) = count(energy_kwh) as is_metered
    from tasks
    group by comparability_key, model_key
),

judged as (
    select
        measured.*,
        models.model_id,
        models.base_model_id,
        coalesce(measured.tasks_covered >= plans.tasks_planned, false) as is_complete,
        row_number() over (
            partition by measured.comparability_key, models.model_id
            order by measured.run_started_at desc, measured.model_key asc
        ) = 1 as is_newest_revision
    from measured
    inner join models on measured.model_key = models.model_key
    left join plans
        on
            measured.suite = plans.suite
            and measured.suite_version = plans.suite_version
            and measured.model_key = plans.model_key
),

-- A suite version that no model has completed has no score. A misspelt task name creates such a version, which reuses
-- the other tasks' evaluations. It is not current if the machine has completed another version.
final as (
    select
        comparability_key,
        model_key,
        model_id,
        base_model_id,
        run_started_at,
        is_complete and is_scored as has_score,
        is_complete and is_metered as has_energy,
        is_newest_revision
        and (
            bool_or(is_complete) over (partition by machine_id, suite, suite_version)
            or not bool_or(is_complete) over (partition by machine_id, suite)
        ) as is_current
    from judged
)

select * from final
