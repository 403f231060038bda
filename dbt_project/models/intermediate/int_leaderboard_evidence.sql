with evaluations as (
    select * from {{ ref('int_leaderboard_by_basis') }}
),

final as (
    select
        basis,
        as_of,
        max(emissions_evidence_through) as evidence_through,
        -- The rows of a state never change, but for what other states tell of them, and for being metered here.
        bit_xor(hash(eval_name, model_key, emissions_kg, emissions_reason, is_multi_run))::varchar as evidence_hash
    from evaluations
    group by basis, as_of
)

select * from final
