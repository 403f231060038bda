{{ config(
    materialized='incremental', incremental_strategy='by_evidence', on_schema_change='fail',
    post_hook="{{ renew_evidence_through() }}"
) }}

with claims as (
    select * from {{ ref('study_claims') }}
),

population as (
    select * from {{ ref('int_study_models') }} as study_models
    where basis = 'measured' or {{ is_of_a_missing_state('study_models') }}
),

answers as (
    select * from {{ ref('int_study_model_claims') }}
    union all by name
    select * from {{ ref('int_study_pair_claims') }}
),

evidence as (
    select * from {{ ref('int_leaderboard_evidence') }}
),

-- Every kind of evidence and state has a row for every claim.
grid as (
    select distinct
        basis,
        as_of
    from population
),

-- What else differs between the sides.
multi_runs as (
    select
        basis,
        as_of,
        avg(is_multi_run::int) filter (where provider = 'official') as official_share,
        avg(is_multi_run::int) filter (where provider != 'official') as community_share
    from population
    group by basis, as_of
),

final as (
    select
        claims.claim_id,
        grid.basis,
        grid.as_of,
        claims.statement,
        claims.definition,
        claims.rule,
        answers.effect,
        answers.effect_low,
        answers.effect_high,
        claims.effect_unit,
        coalesce(answers.n_a, 0) as n_a,
        claims.n_a_counts,
        coalesce(answers.n_b, 0) as n_b,
        claims.n_b_counts,
        coalesce(answers.verdict, 'cannot be told') as verdict,
        coalesce(
            answers.reason,
            case
                when answers.n_pairs > 0
                    then answers.n_pairs || ' pairs, of which no family has three with a known ratio'
                when grid.basis = 'measured'
                    then
                        'no ' || coalesce(replace(claims.families, '|', ', ') || ' ', '')
                        || case when claims.families is null and claims.size_class is null then 'such ' else '' end
                        || 'models' || coalesce(' of ' || claims.size_class, '')
                        || ' are metered here, in one comparability key'
                else 'no such rows are in the table'
            end
        ) as reason,
        nullif(concat_ws(
            '; ',
            case
                when grid.basis = 'leaderboard_published'
                    then
                        format(
                            'CO2 sums evaluations: {:.0f} % of official and {:.0f} % of community rows hold several',
                            100 * coalesce(multi_runs.official_share, 0), 100 * coalesce(multi_runs.community_share, 0)
                        )
            end,
            case
                when answers.n_template_differs > 0
                    then
                        format(
                            'the chat template differs in {} of {} pairs', answers.n_template_differs, answers.n_pairs
                        )
            end,
            case
                when answers.n_months_apart > 0
                    then
                        format(
                            'submitted more than a month apart, when hardware drifted: {} of {} pairs',
                            answers.n_months_apart, answers.n_pairs
                        )
            end,
            case
                when answers.n_unknown > 0
                    then format('the emissions of {} of {} pairs are not known', answers.n_unknown, answers.n_pairs)
            end
        ), '') as confounders,
        coalesce(evidence.evidence_through, grid.as_of) as evidence_through,
        evidence.evidence_hash
    from grid
    cross join claims
    left join evidence on grid.basis = evidence.basis and grid.as_of = evidence.as_of
    left join answers
        on
            claims.claim_id = answers.claim_id
            and grid.basis = answers.basis
            and grid.as_of = answers.as_of
    left join multi_runs on grid.basis = multi_runs.basis and grid.as_of = multi_runs.as_of
)

select * from final
