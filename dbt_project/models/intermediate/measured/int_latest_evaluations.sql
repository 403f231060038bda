with plans as (
    select * from {{ ref('int_suite_plans') }}
    where fingerprint is not null
),

evaluations as (
    select * from {{ ref('int_task_evaluations') }}
    where is_valid
),

members as (
    select
        plans.suite,
        plans.suite_version,
        plans.is_planned,
        plans.suite_weight,
        evaluations.* exclude (suite, suite_version, comparability_key),
        {{ comparability_key('evaluations.setting', 'plans.suite', 'plans.suite_version') }} as comparability_key
    from plans
    inner join evaluations
        on
            plans.model_key = evaluations.model_key
            and plans.task = evaluations.task
            and plans.fingerprint = evaluations.fingerprint
),

-- Whatever can change a score changes the fingerprint, so repetitions of two fingerprints are never combined.
ranked as (
    select
        *,
        row_number() over (
            partition by comparability_key, model_key, task, fingerprint, repetition
            order by run_started_at desc, run_id desc
        ) as age,
        first_value(fingerprint) over (
            partition by comparability_key, model_key, task
            order by run_started_at desc, run_id desc
        ) as newest_fingerprint
    from members
),

latest as (
    select * exclude (age, newest_fingerprint)
    from ranked
    where age = 1 and fingerprint = newest_fingerprint
)

select * from latest
