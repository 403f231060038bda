{{ config(materialized='view') }}

with leaderboard as (
    select * from {{ ref('int_leaderboard_pairs') }}
    where is_in_study_population and is_finetune
),

bases as (
    select * from {{ ref('int_leaderboard_evaluations') }}
),

measured as (
    select * from {{ ref('int_measured_deltas') }}
    where scope = 'suite' and is_complete and is_lineage
),

models as (
    select * from {{ ref('int_metered_models') }}
),

size_classes as (
    select * from {{ ref('size_classes') }}
),

headline as (
    select * from {{ ref('int_headline_key') }}
    where headline_rank = 1
),

-- The study's claims compare with the pretrained base. The base of a model tuned from a chat model already answers
-- questions, so that pair, which mart_base_vs_finetuned_deltas shows, cannot show the effect of instruction tuning.
final as (
    select
        leaderboard.basis,
        leaderboard.as_of,
        leaderboard.eval_name as finetuned,
        leaderboard.base_eval_name as base,
        leaderboard.provider,
        leaderboard.family,
        leaderboard.size_class,
        leaderboard.is_official_release,
        leaderboard.emissions_ratio as ratio,
        leaderboard.emissions_reason as ratio_reason,
        null::double as tokens_out_ratio,
        leaderboard.is_chat_template_different,
        leaderboard.months_apart
    from leaderboard
    inner join bases
        on
            leaderboard.as_of = bases.as_of
            and leaderboard.base_eval_name = bases.eval_name
    where bases.kind = 'pretrained'
    union all
    select
        measured.basis,
        headline.as_of,
        measured.finetuned_model_id as finetuned,
        measured.base_model_id as base,
        finetuned.provider,
        measured.family,
        size_classes.size_class,
        finetuned.provider = 'official'
        and starts_with(lower(finetuned.model_id), lower(base.model_id)) as is_official_release,
        measured.energy_ratio as ratio,
        measured.energy_interval_reason as ratio_reason,
        measured.tokens_out_ratio,
        coalesce(finetuned.chat_template_applied != base.chat_template_applied, true) as is_chat_template_different,
        0 as months_apart
    from measured
    inner join headline on measured.comparability_key = headline.comparability_key
    inner join models as finetuned on measured.finetuned_model_key = finetuned.model_key
    inner join models as base on measured.base_model_key = base.model_key
    left join size_classes
        on
            base.params_b >= size_classes.params_from_b
            and base.params_b < coalesce(size_classes.params_below_b, 'infinity')
    where base.kind = 'pretrained'
)

select * from final
