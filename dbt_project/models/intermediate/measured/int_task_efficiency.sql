with evaluations as (
    select
        *,
        energy_reason is null as is_usable
    from {{ ref('int_latest_evaluations') }}
),

-- Sums of floats depend on their order. With a fixed order, a rebuild gives bit-identical figures.
by_task as (
    select
        comparability_key,
        model_key,
        task,
        any_value(suite) as suite,
        any_value(suite_version) as suite_version,
        any_value(is_planned) as is_planned,
        max(run_started_at) as run_started_at,
        arg_max(run_id, (run_started_at, run_id, -repetition)) as newest_run_id,
        arg_max(repetition, (run_started_at, run_id, -repetition)) as newest_repetition,
        any_value(suite_weight) as suite_weight,
        any_value(metric) as metric,
        any_value(filter) as filter,
        any_value(fingerprint) as fingerprint,
        any_value(score_comparability_key) as score_comparability_key,
        any_value(chance) as chance,
        any_value(higher_is_better) as higher_is_better,
        any_value(scale) as scale,
        any_value(score_reason) as score_reason,
        bool_and(is_binary) as is_binary,
        bool_and(is_generative) as is_generative,
        any_value(n_documents) as n_documents,
        avg(score order by repetition) as score,
        avg(score_share order by repetition) as score_share,
        avg(score_normalised order by repetition) as score_normalised,
        avg(score_stderr order by repetition) as score_stderr,
        avg(correct_answers order by repetition) as correct_answers,
        avg(requests order by repetition) as requests,
        avg(tokens_prompt order by repetition) as tokens_prompt,
        avg(tokens_generated order by repetition) as tokens_generated,
        avg(characters_generated order by repetition) as characters_generated,
        avg(tokens_generated_squared order by repetition) as tokens_generated_squared,
        avg(tokens_squared order by repetition) as tokens_squared,
        avg(tokens_computed order by repetition) as tokens_computed,
        avg(tokens_shared order by repetition) as tokens_shared,
        count(*) as repetitions,
        count(*) filter (where is_usable) as energy_repetitions,
        -- One run that checked before stopping is enough, because its repetitions are pooled with the others.
        coalesce(bool_or(is_until_precise) filter (where is_usable), false) as is_until_precise,
        avg(energy_kwh order by repetition) filter (where is_usable) as energy_kwh,
        -- Variance of the mean over the repetitions.
        case
            when count(*) filter (where is_usable) >= {{ fewest_repetitions() }}
                then
                    var_samp(energy_kwh order by repetition) filter (where is_usable)
                    / count(*) filter (where is_usable)
        end as energy_variance,
        avg(net_energy_kwh order by repetition) filter (where is_usable) as net_energy_kwh,
        avg(duration_s order by repetition) filter (where is_usable) as duration_s,
        avg(emissions_kg order by repetition) filter (where is_usable) as emissions_kg,
        string_agg(distinct energy_reason, ', ' order by energy_reason) as energy_reasons,
        {{ all_flags('case when not is_usable then quality_flags end') }} as energy_flags,
        avg(gpu_energy_kwh order by repetition) filter (where gpu_energy_reason is null) as gpu_energy_kwh,
        string_agg(distinct gpu_energy_reason, ', ' order by gpu_energy_reason) as gpu_energy_reasons,
        any_value(machine_id) as machine_id,
        any_value(boundary) as boundary,
        any_value(calibration_factor) as calibration_factor,
        any_value(energy_method) as energy_method
    from evaluations
    group by comparability_key, model_key, task
),

bounded as (
    select
        *,
        {{ score_bound('-') }} as score_low,
        {{ score_bound('+') }} as score_high
    from by_task
),

shared as (
    select
        *,
        {{ score_share('case when higher_is_better then score_low else score_high end', 'scale', 'higher_is_better') }}
            as share_low,
        {{ score_share('case when higher_is_better then score_high else score_low end', 'scale', 'higher_is_better') }}
            as share_high
    from bounded
),

final as (
    select
        * exclude (energy_reasons, gpu_energy_reasons, share_low, share_high),
        {{ score_normalised('share_low', 'chance') }} as score_normalised_low,
        {{ score_normalised('share_high', 'chance') }} as score_normalised_high,
        case when energy_repetitions = 0 then energy_reasons end as energy_reason,
        case when gpu_energy_kwh is null then gpu_energy_reasons end as gpu_energy_reason
    from shared
)

select * from final
