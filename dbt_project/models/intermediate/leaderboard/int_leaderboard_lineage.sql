{{ config(materialized='incremental', incremental_strategy='append') }}

with recursive source_rows as (
    select * from {{ ref('int_leaderboard_rows') }}
    {{ only_new_states('snapshot_date') }}
),

-- One base per name. If rows of a name contradict each other, which is rare, the alphabet decides.
names as (
    select
        snapshot_date,
        name_key,
        min(base_key) as base_key,
        any_value({{ model_alias('name_key') }}) as alias
    from source_rows
    group by snapshot_date, name_key
),

aliases as (
    select
        snapshot_date,
        alias,
        min(name_key) as name_key
    from names
    group by snapshot_date, alias
    having count(*) = 1
),

parents as (
    select
        names.snapshot_date,
        names.name_key,
        names.base_key,
        coalesce(same.name_key, renamed.name_key) as parent_key,
        same.name_key is null and renamed.name_key is not null as is_renamed
    from names
    left join names as same
        on names.snapshot_date = same.snapshot_date and names.base_key = same.name_key
    left join aliases as renamed
        on
            names.snapshot_date = renamed.snapshot_date
            and {{ model_alias('names.base_key') }} = renamed.alias
),

reasoned as (
    select
        *,
        case
            when base_key is null then 'no base is stated'
            when base_key = 'removed' then 'the base was removed from the hub'
            when parent_key = name_key then 'names itself'
            when parent_key is null then 'the base is not in the table'
        end as root_reason
    from parents
),

walk as (
    select
        snapshot_date,
        name_key,
        parent_key as ancestor_key,
        [name_key, parent_key] as path,
        false as is_cycle
    from reasoned
    where root_reason is null
    union all
    select
        walk.snapshot_date,
        walk.name_key,
        reasoned.parent_key as ancestor_key,
        list_append(walk.path, reasoned.parent_key) as path,
        list_contains(walk.path, reasoned.parent_key) as is_cycle
    from walk
    inner join reasoned
        on walk.snapshot_date = reasoned.snapshot_date and walk.ancestor_key = reasoned.name_key
    where reasoned.root_reason is null and not walk.is_cycle
),

ends as (
    select
        snapshot_date,
        name_key,
        arg_max(ancestor_key, len(path)) as root_key,
        max(len(path)) - 1 as generations,
        bool_or(is_cycle) as is_cycle
    from walk
    group by snapshot_date, name_key
),

final as (
    select
        reasoned.snapshot_date,
        reasoned.name_key,
        case when not coalesce(ends.is_cycle, false) then reasoned.parent_key end as base_key,
        case when not coalesce(ends.is_cycle, false) then coalesce(ends.root_key, reasoned.name_key) end as root_key,
        coalesce(ends.generations, 0) as generations,
        case
            when ends.is_cycle then 'its bases form a cycle'
            when reasoned.root_reason is not null then reasoned.root_reason
            when reasoned.is_renamed then 'resolved to a renamed repository'
            else 'resolved'
        end as base_reason
    from reasoned
    left join ends on reasoned.snapshot_date = ends.snapshot_date and reasoned.name_key = ends.name_key
)

select * from final
