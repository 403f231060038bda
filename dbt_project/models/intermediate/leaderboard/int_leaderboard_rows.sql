{{ config(materialized='incremental', incremental_strategy='append') }}

with snapshots as (
    select * from {{ ref('stg_leaderboard_snapshots') }}
    {{ only_new_states('snapshot_date') }}
),

parsed as (
    select
        *,
        lower(fullname) as name_key,
        lower(split_part(fullname, '/', -1)) as repository,
        -- Words of the name, separated by two blanks, so that a pattern can match the blanks on both sides of a word.
        '  ' || regexp_replace(lower(split_part(fullname, '/', -1)), '[^a-z0-9.]+', '  ', 'g') || '  ' as words
    from snapshots
),

sizes as (
    select
        *,
        -- 7b, 0.5b, 135m; not the 8x7b and a14b of a mixture of experts
        list_distinct(list_concat(
            list_transform(regexp_extract_all(words, ' (\d+(?:\.\d+)?)b ', 1), size -> size::double),
            list_transform(regexp_extract_all(words, ' (\d+)m ', 1), size -> size::double / 1000)
        )) as name_sizes_b,
        try_cast(regexp_extract(words, ' (\d+)x\d+(?:\.\d+)?b ', 1) as double)
        * try_cast(regexp_extract(words, ' \d+x(\d+(?:\.\d+)?)b ', 1) as double) as name_mixture_b
    from parsed
),

sized as (
    select
        *,
        coalesce(name_mixture_b, case when len(name_sizes_b) = 1 then name_sizes_b[1] end) as params_name_b,
        name_mixture_b is null and len(name_sizes_b) > 1 as is_name_ambiguous,
        coalesce(
            regexp_matches(lower(architecture), 'moe|mixtral|dbrx|jamba|grok|arctic|deepseekv[23]|deepseekforcausal'),
            false
        ) as is_moe,
        lower(precision) in ('4bit', '8bit', 'gptq') or coalesce(weight_type = 'Adapter', false) as is_count_doubtful
    from sizes
),

named as (
    select
        *,
        regexp_matches(words, ' (instruct|chat|it)[0-9.]* ') as is_named_instruct,
        coalesce(ends_with(base_model, ' (Merge)'), false) as is_base_merge,
        lower(nullif(trim(regexp_replace(base_model, ' \(Merge\)$', '')), '')) as base_key
    from sized
),

final as (
    select
        snapshot_date,
        eval_name,
        fullname as model_id,
        name_key,
        repository,
        model_sha as revision,
        precision,
        weight_type,
        chat_template as chat_template_applied,
        architecture,
        is_moe,
        moe as is_moe_published,
        flagged as is_flagged,
        case when official_providers then 'official' else 'community' end as provider,
        model_type as kind_published,
        case
            when coalesce(weight_type = 'Adapter', false) then 'adapter'
            when is_base_merge or coalesce(merged, false) or contains(lower(model_type), 'merge') then 'merge'
            when contains(lower(model_type), 'continuously') then 'continued'
            when contains(lower(model_type), 'chat') then 'instruct'
            when contains(lower(model_type), 'fine-tuned') then 'fine_tuned'
            when contains(lower(model_type), 'pretrained') and is_named_instruct then 'instruct'
            when contains(lower(model_type), 'pretrained') then 'pretrained'
            else 'other'
        end as kind,
        case
            when coalesce(weight_type = 'Adapter', false) then 'its weights are an adapter'
            when is_base_merge then 'its base is marked as a merge'
            when coalesce(merged, false) then 'marked as merged'
            when
                contains(lower(model_type), 'pretrained')
                and is_named_instruct
                and not contains(lower(model_type), 'continuously')
                then 'labelled pretrained, but its name says instruct'
            else 'as labelled'
        end as kind_reason,
        params_published_b,
        params_name_b,
        is_name_ambiguous,
        is_count_doubtful,
        base_model as base_published,
        base_key,
        is_base_merge,
        hub_likes,
        submission_date,
        upload_to_hub_date,
        average as score_published,
        100 * ifeval_raw as ifeval_score,
        -- Subtasks of BBH and MUSR are normalised one by one, which cannot be recomputed from their mean.
        bbh as bbh_score,
        100 * math_lvl_5_raw as math_lvl_5_score,
        {{ leaderboard_normalised('gpqa_raw', '0.25') }} as gpqa_score,
        musr as musr_score,
        {{ leaderboard_normalised('mmlu_pro_raw', '0.1') }} as mmlu_pro_score,
        emissions_published_kg,
        -- The study's population: sized rows of an architecture with at least ten such rows.
        coalesce(
            params_published_b is not null
            and architecture != '?'
            and count(*) filter (where params_published_b is not null) over (partition by snapshot_date, architecture)
            >= 10,
            false
        ) as is_in_study_population
    from named
)

select
    *,
    (ifeval_score + bbh_score + math_lvl_5_score + gpqa_score + musr_score + mmlu_pro_score) / 6 as score
from final
