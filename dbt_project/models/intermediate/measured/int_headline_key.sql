with models as (
    select * from {{ ref('int_compared_models') }}
    where is_current
),

keys as (
    select
        comparability_key,
        (max(run_started_at) at time zone 'UTC')::date as as_of,
        count(*) as models,
        count(*) filter (where has_score) as models_scored,
        count(*) filter (where has_score and has_energy) as models_known
    from models
    group by comparability_key
),

final as (
    select
        *,
        row_number() over (
            order by models_known desc, models_scored desc, models desc, as_of desc, comparability_key asc
        ) as headline_rank
    from keys
)

select * from final
