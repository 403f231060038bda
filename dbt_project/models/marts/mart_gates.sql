with questions as (
    select * from {{ ref('int_gates') }}
),

gates as (
    select
        gate_id,
        any_value(candidate_model_id) as candidate_model_id,
        any_value(reference_model_id) as reference_model_id,
        any_value(suite) as suite,
        bool_or(decided_at is not null) as is_decided
    from questions
    group by gate_id
),

-- By name: what is tuned between two gates is another model under the same name.
counted as (
    select
        gate_id,
        count(*) filter (where is_decided) over (
            partition by candidate_model_id, reference_model_id, suite
            order by gate_id
            rows between unbounded preceding and 1 preceding
        ) as gates_before
    from gates
),

final as (
    select
        questions.*,
        counted.gates_before,
        {{ tuning_warning('counted.gates_before + 1') }} as tuning_warning
    from questions
    inner join counted on questions.gate_id = counted.gate_id
)

select * from final
