{{ config(materialized='incremental', incremental_strategy='append') }}

with evaluations as (
    select * from {{ ref('int_leaderboard_rows') }}
    {{ only_new_states('snapshot_date') }}
),

lineage as (
    select * from {{ ref('int_leaderboard_lineage') }}
    {{ only_new_states('snapshot_date') }}
),

families as (
    select * from {{ ref('int_model_families') }}
),

buckets as (
    select * from {{ ref('size_buckets') }}
),

size_classes as (
    select * from {{ ref('size_classes') }}
),

-- The size from column and name together. The column counts loaded weights, so it is trusted unless these are packed or
-- belong to an adapter.
own_sizes as (
    select
        snapshot_date,
        eval_name,
        case
            when params_published_b is null then params_name_b
            when params_name_b is null then case when not is_count_doubtful then params_published_b end
            when params_published_b / params_name_b between 0.75 and 1.3 then params_published_b
            when params_published_b / params_name_b between 0.45 and 0.56 and not is_moe then params_name_b
            when is_count_doubtful then params_name_b
            else params_published_b
        end as params_b,
        case
            when params_published_b is null and params_name_b is null then 'neither the column nor the name states it'
            when params_published_b is null then 'the name; the column has none'
            when params_name_b is null and is_count_doubtful
                then 'the column counts quantised or adapter weights, and the name states no size'
            when params_name_b is null and is_name_ambiguous then 'the column; the name states several sizes'
            when params_name_b is null then 'the column; the name states no size'
            when params_published_b / params_name_b between 0.75 and 1.3 then 'column and name agree'
            when params_published_b / params_name_b between 0.45 and 0.56 and not is_moe
                then 'the name; the column says half of it, as weights packed in 4 bits count'
            when is_count_doubtful then 'the name; the column counts quantised or adapter weights'
            when is_moe then 'the column; the name of a mixture counts shared parts for each expert'
            else 'the column, though the name says otherwise'
        end as params_reason
    from evaluations
),

-- The row that represents a name when a fine-tune is compared with it: one at the fine-tune's precision, if any.
base_rows as (
    select
        evaluations.snapshot_date,
        evaluations.eval_name,
        arg_min(
            bases.eval_name,
            (
                not coalesce(evaluations.precision = bases.precision, false),
                coalesce(bases.weight_type != 'Original', true),
                -coalesce(epoch(bases.submission_date), 0),
                bases.eval_name
            )
        ) as base_eval_name
    from evaluations
    inner join lineage
        on evaluations.snapshot_date = lineage.snapshot_date and evaluations.name_key = lineage.name_key
    inner join evaluations as bases
        on
            lineage.snapshot_date = bases.snapshot_date
            and lineage.base_key = bases.name_key
    where lineage.base_key != lineage.name_key
    group by evaluations.snapshot_date, evaluations.eval_name
),

sized as (
    select
        own_sizes.snapshot_date,
        own_sizes.eval_name,
        base_rows.base_eval_name,
        coalesce(own_sizes.params_b, base_sizes.params_b) as params_b,
        case
            when own_sizes.params_b is null and base_sizes.params_b is not null
                then 'the base''s; ' || own_sizes.params_reason
            else own_sizes.params_reason
        end as params_reason
    from own_sizes
    left join base_rows
        on own_sizes.snapshot_date = base_rows.snapshot_date and own_sizes.eval_name = base_rows.eval_name
    left join own_sizes as base_sizes
        on base_rows.snapshot_date = base_sizes.snapshot_date and base_rows.base_eval_name = base_sizes.eval_name
),

root_sizes as (
    select
        evaluations.snapshot_date,
        evaluations.name_key,
        median(sized.params_b) as params_b
    from evaluations
    inner join sized
        on evaluations.snapshot_date = sized.snapshot_date and evaluations.eval_name = sized.eval_name
    group by evaluations.snapshot_date, evaluations.name_key
),

-- The names to look up. Testing this in the join would compare every pair of rows.
looked_up as (
    select
        evaluations.*,
        lineage.base_reason,
        coalesce(lineage.root_key, evaluations.name_key) as root_key,
        case when lineage.root_key != lineage.name_key then lineage.root_key end as ancestor_key,
        case when lineage.root_key = lineage.name_key then evaluations.base_key end as stated_key
    from evaluations
    inner join lineage
        on evaluations.snapshot_date = lineage.snapshot_date and evaluations.name_key = lineage.name_key
),

joined as (
    select
        looked_up.*,
        sized.params_b as params_trusted_b,
        sized.params_reason,
        sized.base_eval_name,
        coalesce(root_families.family, stated_families.family) as lineage_family,
        own_families.family as name_family,
        coalesce(root_sizes.params_b, sized.params_b) as family_params_b
    from looked_up
    inner join sized
        on looked_up.snapshot_date = sized.snapshot_date and looked_up.eval_name = sized.eval_name
    left join root_sizes
        on looked_up.snapshot_date = root_sizes.snapshot_date and looked_up.ancestor_key = root_sizes.name_key
    left join families as root_families on looked_up.ancestor_key = root_families.name_key
    left join families as stated_families on looked_up.stated_key = stated_families.name_key
    left join families as own_families on looked_up.name_key = own_families.name_key
),

final as (
    select
        joined.*,
        published_buckets.bucket as bucket_published,
        trusted_buckets.bucket as bucket_trusted,
        coalesce(joined.lineage_family, joined.name_family) as family,
        case
            when joined.lineage_family is not null then 'lineage'
            when joined.name_family is not null then 'name'
        end as family_source,
        size_classes.size_class
    from joined
    left join size_classes
        on
            joined.family_params_b >= size_classes.params_from_b
            and joined.family_params_b < coalesce(size_classes.params_below_b, 'infinity')
    left join buckets as published_buckets
        on
            joined.params_published_b >= published_buckets.params_from_b
            and joined.params_published_b < coalesce(published_buckets.params_below_b, 'infinity')
    left join buckets as trusted_buckets
        on
            joined.params_trusted_b >= trusted_buckets.params_from_b
            and joined.params_trusted_b < coalesce(trusted_buckets.params_below_b, 'infinity')
)

select * from final
