with runs as (
    select * from {{ ref('stg_evaluation_runs') }}
),

models as (
    select * from {{ ref('stg_models') }}
),

excluded as (
    select * from {{ ref('int_excluded_runs') }}
),

withdrawn as (
    select * from {{ ref('withdrawn_answers') }}
),

final as (
    select
        runs.run_id,
        case
            when models.run_id is null then 'the run has no model: its set-up did not arrive'
            else coalesce(
                excluded.excluded_reason,
                format('{} answered {} wrongly: {}', withdrawn.engine, withdrawn.architecture, withdrawn.reason)
            )
        end as invalid_reason
    from runs
    left join models on runs.run_id = models.run_id
    left join excluded on runs.run_id = excluded.run_id
    left join withdrawn on runs.engine = withdrawn.engine and models.architecture = withdrawn.architecture
)

select * from final
