with pairs as (
    select * from {{ ref('int_part_pairs') }}
),

evaluations as (
    select * from {{ ref('int_part_evaluations') }}
),

stops as (
    select * from {{ ref('int_question_stops') }}
),

sides as (
    select * from {{ ref('int_pair_sides') }}
),

suites as (
    select * from {{ ref('int_part_suites') }}
),

tasks as (
    select
        'task' as scope,
        pairs.task,
        pairs.base_model_key,
        pairs.is_lineage,
        evaluations.model_key as finetuned_model_key,
        evaluations.comparability_key,
        evaluations.whole_comparability_key,
        evaluations.suite,
        greatest(pairs.base_run_started_at, evaluations.run_started_at) as run_started_at,
        evaluations.stop_run_id,
        evaluations.repetition,
        pairs.task as tasks_compared,
        1 as tasks_paired,
        evaluations.energy_method,
        pairs.documents,
        100 * pairs.base_share as base_score,
        100 * pairs.finetuned_share as finetuned_score,
        case
            when not pairs.is_same_question then 'asked_differently'
            when not evaluations.is_binary then 'no_mean_over_documents'
            when pairs.documents < evaluations.documents_asked then 'different_documents'
        end as score_test_reason_code,
        evaluations.energy_kwh_estimate,
        evaluations.energy_kwh_estimate_low,
        evaluations.energy_kwh_estimate_high,
        evaluations.joules_per_correct_estimate,
        evaluations.joules_per_correct_estimate_low,
        evaluations.joules_per_correct_estimate_high
    from pairs
    inner join evaluations
        on
            pairs.task = evaluations.task
            and pairs.fingerprint = evaluations.fingerprint
            and pairs.repetition = evaluations.repetition
),

gates as (
    select * from {{ ref('stg_gates') }}
),

-- As among complete evaluations, a model is compared with its base, or with what a gate asks for.
compared as (
    select * from tasks
    union all by name
    select * from suites
),

of_interest as (
    select *
    from compared
    where
        is_lineage
        or (finetuned_model_key, base_model_key) in (
            select
                gates.candidate_model_key,
                gates.reference_model_key
            from gates
        )
),

judged as (
    select
        of_interest.* exclude (run_started_at, repetition, stop_run_id, score_test_reason_code),
        (of_interest.run_started_at at time zone 'UTC')::date as as_of,
        false as is_complete,
        stops.documents_asked,
        stops.documents_total,
        stops.stop_reason,
        stops.verdict_code as stop_verdict_code,
        coalesce(
            of_interest.score_test_reason_code,
            case
                when stops.until = 'width' then 'asked_until_width'
                when stops.p_value is null then 'no_mean_over_documents'
            end
        ) as score_test_reason_code,
        stops.score_test as stop_score_test,
        stops.p_value as stop_p_value,
        stops.low as stop_low,
        stops.high as stop_high,
        stops.margin_points as stop_margin,
        stops.full_low as full_delta_low,
        stops.full_high as full_delta_high,
        base.energy_kwh as base_energy_kwh,
        base.tokens_out_per_request as base_tokens_out_per_request,
        base.joules_per_correct as base_joules_per_correct
    from of_interest
    inner join stops
        on
            of_interest.stop_run_id = stops.run_id
            and of_interest.scope = stops.scope
            and of_interest.task = stops.task
            and of_interest.repetition = stops.repetition
    left join sides as base
        on
            of_interest.whole_comparability_key = base.comparability_key
            and of_interest.base_model_key = base.model_key
            and of_interest.scope = base.scope
            and of_interest.task = base.task
            and base.paired_with = ''
),

-- What a part used is compared with no complete evaluation.
final as (
    select
        *,
        case
            when score_test_reason_code = 'asked_differently' then score_test_reason_code
            when base_score is null or finetuned_score is null then 'score_not_known'
        end as score_reason_code,
        {{ reason_in_words('score_test_reason_code') }} as score_test_reason,
        {% for figure in ['energy_interval', 'tokens_interval', 'joules_per_correct'] %}
            'only_a_part' as {{ figure }}_reason_code,
            {{ reason_in_words("'only_a_part'") }} as {{ figure }}_reason,
        {% endfor %}
        case when score_reason_code is not null then coalesce(score_test_reason, 'the score is not known') end
            as score_reason
    from judged
)

select * from final
