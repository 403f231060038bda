with tasks as (
    select * from {{ ref('int_task_efficiency') }}
    where is_planned
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
        max(run_started_at) as run_started_at
    from tasks
    group by comparability_key, model_key
),

final as (
    select
        measured.comparability_key,
        measured.model_key,
        models.model_id,
        models.base_model_id,
        row_number() over (
            partition by measured.comparability_key, models.model_id
            order by measured.run_started_at desc, measured.model_key asc
        ) = 1 as is_current
    from measured
    inner join models on measured.model_key = models.model_key
)

select * from final
