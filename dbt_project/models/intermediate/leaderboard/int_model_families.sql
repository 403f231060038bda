{{ config(materialized='incremental', incremental_strategy='append') }}

with snapshots as (
    select * from {{ ref('int_leaderboard_rows') }}
),

families as (
    select * from {{ ref('model_families') }}
),

names as (
    select name_key from snapshots
    union
    select base_key from snapshots
    where base_key is not null
),

-- DuckDB compiles a pattern from a table again for each name, so only new names are matched.
new_names as (
    select name_key from names
    {% if is_incremental() %}
        where name_key not in (select known.name_key from {{ this }} as known)
    {% endif %}
),

final as (
    select
        new_names.name_key,
        arg_min(families.family, families.family_order) as family
    from new_names
    left join families on regexp_matches(split_part(new_names.name_key, '/', -1), families.pattern)
    group by new_names.name_key
)

select * from final
