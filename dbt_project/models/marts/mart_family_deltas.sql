{{ config(
    materialized='incremental', incremental_strategy='by_row_version', on_schema_change='fail',
    post_hook="{{ renew_evidence_through() }}"
) }}

with evaluations as (
    select * from {{ ref('int_leaderboard_by_basis') }} as by_basis
    where
        is_in_study_population
        and family is not null
        and size_class is not null
        and {{ is_of_a_missing_state('by_basis') }}
),

pairs as (
    select * from {{ ref('int_leaderboard_pairs') }} as all_pairs
    where {{ is_of_a_missing_state('all_pairs') }}
),

versions as (
    select * from {{ ref('int_leaderboard_state_versions') }}
),

bases as (
    select distinct
        as_of,
        basis,
        base_eval_name
    from pairs
),

grouped as (
    select
        evaluations.*,
        case
            when bases.base_eval_name is not null and evaluations.kind = 'pretrained' then 'base'
            when pairs.eval_name is null or not pairs.is_finetune then null
            when pairs.is_official_release then 'official'
            when evaluations.provider = 'official' then 'official, other'
            else 'community'
        end as model_group
    from evaluations
    left join bases
        on
            evaluations.as_of = bases.as_of
            and evaluations.basis = bases.basis
            and evaluations.eval_name = bases.base_eval_name
    left join pairs
        on
            evaluations.as_of = pairs.as_of
            and evaluations.basis = pairs.basis
            and evaluations.eval_name = pairs.eval_name
),

summed as (
    select
        family,
        model_group,
        size_class,
        basis,
        as_of,
        count(*) as n_models,
        count(emissions_kg) as n,
        avg(emissions_kg order by eval_name) as emissions_kg_mean,
        median(emissions_kg) as emissions_kg_median,
        avg(score order by eval_name) as score_mean,
        median(score) as score_median,
        count(*) filter (where is_multi_run) as n_multi_run
    from grouped
    where model_group is not null
    group by family, model_group, size_class, basis, as_of
),

final as (
    select
        summed.family,
        summed.model_group,
        summed.size_class,
        summed.basis,
        summed.as_of,
        summed.n_models,
        summed.n,
        summed.emissions_kg_mean,
        summed.emissions_kg_median,
        summed.score_mean,
        summed.score_median,
        summed.emissions_kg_mean / nullif(base.emissions_kg_mean, 0) as emissions_ratio_mean,
        summed.emissions_kg_median / nullif(base.emissions_kg_median, 0) as emissions_ratio_median,
        case
            when base.n is null then 'no base of the family and size is in the table'
            when base.n = 0 then 'the base''s emissions are not known'
            when summed.n = 0 then 'no emissions are known'
        end as ratio_reason,
        summed.score_mean - base.score_mean as score_delta_mean,
        summed.n_multi_run,
        versions.evidence_through,
        versions.row_version
    from summed
    inner join versions on summed.basis = versions.basis and summed.as_of = versions.as_of
    left join summed as base
        on
            summed.family = base.family
            and summed.size_class = base.size_class
            and summed.basis = base.basis
            and summed.as_of = base.as_of
            and base.model_group = 'base'
)

select * from final
