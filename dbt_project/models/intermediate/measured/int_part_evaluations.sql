with answers as (
    select
        *,
        documents_asked as n_documents,
        documents_asked / documents_total::double as asked_share,
        case when is_binary then 1 end as scale,
        null::double as score_stderr,
        case when higher_is_better then score_share else 1 - score_share end as score
    from {{ ref('int_part_answers') }}
),

student_t as (
    select * from {{ ref('student_t') }}
),

-- The documents asked are a random sample of all, so the others are expected to use as much each. The error of the sum
-- is that of a mean, with the factor of a finite population.
estimated as (
    select
        answers.*,
        student_t.t_975 as t,
        case when answers.energy_reason is null then answers.energy_kwh / answers.asked_share end
            as energy_kwh_estimate,
        coalesce(
            answers.energy_reason,
            case
                when answers.parts < {{ fewest_repetitions() }}
                    then 'fewer than {{ fewest_repetitions_in_words() }} parts show no spread'
                when not answers.is_each_usable then 'the energy of a part is in doubt'
            end
        ) as energy_estimate_reason,
        answers.documents_total
        * sqrt(answers.document_variance / answers.documents_asked * (1 - answers.asked_share)) as energy_error,
        (1 - answers.asked_share) * {{ log_proportion_variance('answers.correct_answers', 'answers.documents_asked') }}
            as correct_log_variance
    from answers
    left join student_t on {{ degrees_of_freedom('answers.parts') }} = student_t.degrees_of_freedom
),

with_correct as (
    select
        *,
        {{ joules('energy_kwh_estimate') }} / nullif(correct_answers, 0) * asked_share as joules_per_correct_estimate,
        pow(energy_error / nullif(energy_kwh_estimate, 0), 2) + correct_log_variance as log_variance
    from estimated
),

final as (
    select
        * exclude (score_comparability_key, t, asked_share, energy_error, correct_log_variance, log_variance),
        false as is_valid,
        format('only a part was asked: {:,} of {:,} documents', documents_asked, documents_total) as invalid_reason,
        {{ score_bound('-') }} as score_low,
        {{ score_bound('+') }} as score_high,
        {{ score_normalised('score_share', 'chance') }} as score_normalised,
        case when not is_binary then 'the metric is not right or wrong for each document, and may need all of them' end
            as score_reason,
        -- All of them use no less than those that were asked.
        case
            when energy_estimate_reason is null
                then greatest(energy_kwh, energy_kwh_estimate - t * energy_error)
        end as energy_kwh_estimate_low,
        case when energy_estimate_reason is null then energy_kwh_estimate + t * energy_error end
            as energy_kwh_estimate_high,
        case
            when energy_estimate_reason is null
                then {{ ratio_bound('joules_per_correct_estimate', 'log_variance', 't', '-') }}
        end as joules_per_correct_estimate_low,
        case
            when energy_estimate_reason is null
                then {{ ratio_bound('joules_per_correct_estimate', 'log_variance', 't', '+') }}
        end as joules_per_correct_estimate_high,
        case
            when energy_reason is not null then energy_reason
            when not is_binary then 'the metric does not say what a correct answer is'
            when correct_answers = 0 then 'no answer is correct'
            else energy_estimate_reason
        end as joules_per_correct_estimate_reason,
        {{ joules('energy_kwh_estimate - energy_kwh') }} as joules_saved,
        score_comparability_key as whole_score_comparability_key,
        {{ asked_in_part('score_comparability_key') }} as score_comparability_key,
        {{ asked_in_part('whole_comparability_key') }} as comparability_key
    from with_correct
)

select * from final
