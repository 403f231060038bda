{{ config(
    materialized='incremental', incremental_strategy='by_row_version', on_schema_change='fail',
    post_hook="{{ renew_evidence_through() }}"
) }}

with claims as (
    select
        claim_id,
        families,
        size_class,
        params_below_b,
        effect_unit,
        {{ with_thresholds('statement') }} as statement,
        {{ with_thresholds('definition') }} as definition,
        {{ with_thresholds('rule') }} as rule,
        {{ with_thresholds('n_a_counts') }} as n_a_counts,
        {{ with_thresholds('n_b_counts') }} as n_b_counts
    from {{ ref('study_claims') }}
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

versions as (
    select * from {{ ref('int_leaderboard_state_versions') }}
),

-- Every claim has a row for every basis and state.
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

judged as (
    select
        grid.basis,
        grid.as_of,
        claims.*,
        answers.* exclude (claim_id, basis, as_of, verdict_code, reason_code),
        coalesce(answers.verdict_code, 'undetermined') as verdict_code,
        case
            when answers.claim_id is not null then answers.reason_code
            when grid.basis = 'measured' then 'nothing_metered'
            else 'not_in_the_table'
        end as reason_code
    from grid
    cross join claims
    left join answers
        on
            claims.claim_id = answers.claim_id
            and grid.basis = answers.basis
            and grid.as_of = answers.as_of
),

final as (
    select
        judged.claim_id,
        judged.basis,
        judged.as_of,
        date '{{ var("study_day") }}' as study_day,
        judged.statement,
        judged.families,
        judged.size_class,
        judged.params_below_b,
        judged.definition,
        judged.rule,
        judged.effect,
        judged.effect_low,
        judged.effect_high,
        judged.effect_unit,
        coalesce(judged.n_a, 0) as n_a,
        judged.n_a_counts,
        coalesce(judged.n_b, 0) as n_b,
        judged.n_b_counts,
        judged.verdict_code,
        {{ in_words('judged.verdict_code') }} as verdict,
        judged.reason_code,
        case judged.reason_code
            when 'nothing_metered'
                then
                    'no ' || coalesce(replace(judged.families, '|', ', ') || ' ', '')
                    || case when judged.families is null and judged.size_class is null then 'such ' else '' end
                    || 'models' || coalesce(' of ' || judged.size_class, '')
                    || ' are metered here within one comparability key'
            when 'not_in_the_table' then 'no such rows are in the table'
            else judged.reason
        end as reason,
        nullif(concat_ws(
            '; ',
            case
                when judged.basis = 'leaderboard_published'
                    then
                        format(
                            'CO2 sums evaluations: {:.0f} % of official and {:.0f} % of community rows hold several',
                            100 * coalesce(multi_runs.official_share, 0), 100 * coalesce(multi_runs.community_share, 0)
                        )
            end,
            case
                when judged.n_template_differs > 0
                    then
                        format(
                            'the chat template differs in {} of {} pairs', judged.n_template_differs, judged.n_pairs
                        )
            end,
            case
                when judged.n_months_apart > 0
                    then
                        format(
                            'submitted more than a month apart, while hardware changed: {} of {} pairs',
                            judged.n_months_apart, judged.n_pairs
                        )
            end,
            case
                when judged.n_unknown > 0
                    then format('the emissions of {} of {} pairs are not known', judged.n_unknown, judged.n_pairs)
            end
        ), '') as confounders,
        coalesce(versions.evidence_through, judged.as_of) as evidence_through,
        versions.row_version
    from judged
    left join versions on judged.basis = versions.basis and judged.as_of = versions.as_of
    left join multi_runs on judged.basis = multi_runs.basis and judged.as_of = multi_runs.as_of
)

select * from final
