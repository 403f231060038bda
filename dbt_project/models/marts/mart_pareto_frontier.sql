{{ config(
    materialized='incremental', incremental_strategy='by_row_version', on_schema_change='fail'
) }}

with measured as (
    select * from {{ ref('mart_model_efficiency') }}
    where basis = 'measured' and is_current
),

leaderboard as (
    select * from {{ ref('int_leaderboard_by_basis') }} as by_basis
    where {{ is_of_a_missing_state('by_basis') }}
),

versions as (
    select * from {{ ref('int_leaderboard_state_versions') }}
),

-- Lower cost is better, higher score is better.
points as (
    select
        model_key,
        model_id,
        model_key as point,
        comparability_key,
        'energy_kwh and score' as axis_pair,
        basis,
        max(as_of) over (partition by comparability_key) as as_of,
        energy_kwh as cost,
        score
    from measured
    union all
    select
        model_key,
        model_id,
        model_key as point,
        comparability_key,
        'params_b and score' as axis_pair,
        basis,
        max(as_of) over (partition by comparability_key) as as_of,
        params_b as cost,
        score
    from measured
    union all
    select
        model_key,
        model_id,
        eval_name as point,
        {{ leaderboard_comparability_key() }} as comparability_key,
        'emissions_kg and score' as axis_pair,
        basis,
        as_of,
        emissions_kg as cost,
        score
    from leaderboard
    union all
    -- Size and score do not depend on the basis of the emissions.
    select
        model_key,
        model_id,
        eval_name as point,
        {{ leaderboard_comparability_key() }} as comparability_key,
        'params_b and score' as axis_pair,
        basis,
        as_of,
        params_trusted_b as cost,
        score
    from leaderboard
    where basis = 'leaderboard_published'
),

known as (
    select * from points
    where cost is not null and score is not null
),

-- Equal points are all on the frontier, or none is.
places as (
    select
        comparability_key,
        axis_pair,
        basis,
        as_of,
        cost,
        score,
        min(model_id) as model_id
    from known
    group by comparability_key, axis_pair, basis, as_of, cost, score
),

judged as (
    select
        *,
        max(score) over before as best_score,
        arg_max(model_id, score) over before as best_model_id
    from places
    window before as (
        partition by comparability_key, axis_pair, basis, as_of
        order by cost asc, score desc
        rows between unbounded preceding and 1 preceding
    )
),

final as (
    select
        known.model_key,
        known.point,
        known.comparability_key,
        known.axis_pair,
        known.basis,
        known.as_of,
        known.model_id,
        known.cost,
        known.score,
        coalesce(judged.best_score < known.score, true) as on_frontier,
        case when judged.best_score >= known.score then judged.best_model_id end as dominated_by,
        versions.row_version
    from known
    inner join judged
        on
            known.comparability_key = judged.comparability_key
            and known.axis_pair = judged.axis_pair
            and known.basis = judged.basis
            and known.as_of = judged.as_of
            and known.cost = judged.cost
            and known.score = judged.score
    left join versions on known.basis = versions.basis and known.as_of = versions.as_of
)

select * from final
