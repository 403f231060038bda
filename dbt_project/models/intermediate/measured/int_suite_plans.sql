with runs as (
    select * from {{ ref('stg_evaluation_runs') }}
),

models as (
    select * from {{ ref('stg_models') }}
),

evaluations as (
    select * from {{ ref('int_task_evaluations') }}
    where is_valid
),

plans as (
    select
        runs.run_id,
        runs.suite,
        runs.suite_version,
        runs.started_at,
        -- A killed run's last record does not name the model; its set-up does.
        coalesce(models.model_key, runs.model_key) as model_key,
        unnest(map_entries(
            from_json(
                runs.task_evaluations_json,
                '"map(varchar, struct(evaluation varchar, weight double, \"group\" varchar))"'
            )
        )) as planned
    from runs
    left join models on runs.run_id = models.run_id
    where runs.task_evaluations_json is not null
),

aged as (
    select
        run_id,
        suite,
        suite_version,
        model_key,
        planned.key as task,
        planned.value.evaluation as bundle,
        planned.value.weight as suite_weight,
        planned.value."group" is not null as is_weighed,
        (started_at, run_id) as plan_order,
        dense_rank() over (
            partition by suite, suite_version, model_key
            order by started_at desc, run_id desc
        ) as plan_age
    from plans
    where model_key is not null
),

-- Plans landed before tasks recorded their group gave all of a group's tasks the same weight. The weights in another
-- model's plan are correct for them, because a suite version asks the same of all models.
group_weights as (
    select
        suite,
        suite_version,
        task,
        arg_max(suite_weight, plan_order) as suite_weight
    from aged
    where is_weighed
    group by suite, suite_version, task
),

-- The newest plan lists the suite's tasks for the model.
tasks as (
    select distinct
        aged.suite,
        aged.suite_version,
        aged.model_key,
        aged.task,
        case
            when aged.is_weighed then aged.suite_weight
            else coalesce(group_weights.suite_weight, aged.suite_weight)
        end as suite_weight
    from aged
    left join group_weights
        on
            aged.suite = group_weights.suite
            and aged.suite_version = group_weights.suite_version
            and aged.task = group_weights.task
    where aged.plan_age = 1
),

-- A plan names the evaluations that answer it, whichever run landed them. A run's own evaluations always answer it.
answers as (
    select
        aged.suite,
        aged.suite_version,
        aged.model_key,
        aged.task,
        evaluations.fingerprint
    from aged
    inner join evaluations
        on aged.bundle = evaluations.bundle and aged.task = evaluations.task
    union
    select
        suite,
        suite_version,
        model_key,
        task,
        fingerprint
    from evaluations
),

final as (
    select
        coalesce(tasks.suite, answers.suite) as suite,
        coalesce(tasks.suite_version, answers.suite_version) as suite_version,
        coalesce(tasks.model_key, answers.model_key) as model_key,
        coalesce(tasks.task, answers.task) as task,
        answers.fingerprint,
        tasks.suite_weight,
        tasks.task is not null as is_planned
    from tasks
    full outer join answers
        on
            tasks.suite = answers.suite
            and tasks.suite_version = answers.suite_version
            and tasks.model_key = answers.model_key
            and tasks.task = answers.task
)

select * from final
