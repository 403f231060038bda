with models as (
    select * from {{ ref('int_compared_models') }}
),

gates as (
    select * from {{ ref('stg_gates') }}
),

lineage as (
    select
        finetuned.comparability_key,
        base.model_key as base_model_key,
        finetuned.model_key as finetuned_model_key,
        true as is_lineage
    from models as finetuned
    inner join models as base
        on
            finetuned.comparability_key = base.comparability_key
            and finetuned.base_model_id = base.model_id
            and finetuned.model_key != base.model_key
    where base.is_current and finetuned.is_current
),

-- A gate may compare a model with any other, and with an earlier revision of itself.
gated as (
    select distinct
        candidate.comparability_key,
        reference.model_key as base_model_key,
        candidate.model_key as finetuned_model_key,
        false as is_lineage
    from gates
    inner join models as candidate on gates.candidate_model_key = candidate.model_key
    inner join models as reference
        on
            gates.reference_model_key = reference.model_key
            and candidate.comparability_key = reference.comparability_key
),

pairs as (
    select * from lineage
    union all
    select * from gated
),

distinct_pairs as (
    select
        comparability_key,
        base_model_key,
        finetuned_model_key,
        bool_or(is_lineage) as is_lineage
    from pairs
    group by comparability_key, base_model_key, finetuned_model_key
),

final as (
    select
        distinct_pairs.*,
        not coalesce(base.has_energy and finetuned.has_energy, false) as lacks_energy
    from distinct_pairs
    inner join models as base
        on
            distinct_pairs.comparability_key = base.comparability_key
            and distinct_pairs.base_model_key = base.model_key
    inner join models as finetuned
        on
            distinct_pairs.comparability_key = finetuned.comparability_key
            and distinct_pairs.finetuned_model_key = finetuned.model_key
)

select * from final
