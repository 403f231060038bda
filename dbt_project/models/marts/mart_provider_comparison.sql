{{ config(
    materialized='incremental', incremental_strategy='by_row_version', on_schema_change='fail',
    post_hook="{{ renew_evidence_through() }}"
) }}

with evaluations as (
    select
        *,
        score / nullif(emissions_kg, 0) as score_per_kg
    from {{ ref('int_leaderboard_by_basis') }} as by_basis
    where is_in_study_population and {{ is_of_a_missing_state('by_basis') }}
),

versions as (
    select * from {{ ref('int_leaderboard_state_versions') }}
),

pairs as (
    select * from {{ ref('int_leaderboard_pairs') }} as all_pairs
    where is_in_study_population and emissions_ratio > 0 and is_finetune and {{ is_of_a_missing_state('all_pairs') }}
),

-- Each class, and all of them together.
classed as (
    select
        *,
        unnest([bucket_published, 'all sizes']) as bucket
    from evaluations
),

summed as (
    select
        bucket,
        provider,
        basis,
        as_of,
        count(*) as n_models,
        count(emissions_kg) as n,
        median(emissions_kg) as emissions_kg_median,
        median(score) filter (where emissions_kg is not null) as score_median,
        median(score_per_kg) as score_per_kg_median,
        list(score_per_kg) filter (where score_per_kg > 0) as efficiencies,
        count(*) filter (where is_multi_run) as n_multi_run
    from classed
    group by bucket, provider, basis, as_of
),

paired as (
    select
        bucket,
        provider,
        basis,
        as_of,
        count(*) as n_pairs,
        median(emissions_ratio) as child_parent_emissions_ratio_median,
        avg(ln(emissions_ratio) order by eval_name) as log_mean,
        stddev_samp(ln(emissions_ratio) order by eval_name) as log_deviation
    from (
        select
            *,
            unnest([bucket_published, 'all sizes']) as bucket
        from pairs
    ) as classed_pairs
    group by bucket, provider, basis, as_of
),

-- log(kg) = month + slope log(size) + official. Months are removed through their means (Frisch and Waugh 1933), which
-- leaves least squares with two regressors.
regressed as (
    select
        eval_name,
        bucket,
        basis,
        as_of,
        ln(emissions_kg) - avg(ln(emissions_kg)) over same_month as y,
        ln(params_published_b) - avg(ln(params_published_b)) over same_month as size,
        (provider = 'official')::int - avg((provider = 'official')::int) over same_month as official,
        coalesce(strftime(submission_date, '%Y-%m'), 'unknown') as submission_month
    from classed
    where emissions_kg > 0
    window same_month as (
        partition by bucket, basis, as_of, coalesce(strftime(submission_date, '%Y-%m'), 'unknown')
        order by eval_name rows between unbounded preceding and unbounded following
    )
),

products as (
    select
        bucket,
        basis,
        as_of,
        count(*) - count(distinct submission_month) - 2 as degrees_of_freedom,
        sum(size * size order by eval_name) as s_xx,
        sum(official * official order by eval_name) as s_oo,
        sum(size * official order by eval_name) as s_xo,
        sum(size * y order by eval_name) as s_xy,
        sum(official * y order by eval_name) as s_oy,
        sum(y * y order by eval_name) as s_yy
    from regressed
    group by bucket, basis, as_of
),

solved as (
    select
        *,
        (s_oy * s_xx - s_xy * s_xo) / nullif(s_oo * s_xx - s_xo * s_xo, 0) as log_multiplier,
        (s_xy * s_oo - s_oy * s_xo) / nullif(s_oo * s_xx - s_xo * s_xo, 0) as slope
    from products
    -- Too little variation to separate the two regressors is treated as none.
    where s_oo > 1e-9 and s_xx > 1e-9 and degrees_of_freedom >= 10
),

adjusted as (
    select
        bucket,
        basis,
        as_of,
        log_multiplier,
        sqrt(
            greatest(s_yy - log_multiplier * s_oy - slope * s_xy, 0) / degrees_of_freedom
            * s_xx / nullif(s_oo * s_xx - s_xo * s_xo, 0)
        ) as log_error,
        {{ t_975('degrees_of_freedom') }} as t
    from solved
),

bounded as (
    select
        *,
        {{ log_median_variance('efficiencies') }} as log_variance
    from summed
),

final as (
    select
        bounded.bucket,
        bounded.provider,
        bounded.basis,
        bounded.as_of,
        bounded.n_models,
        bounded.n,
        bounded.n_multi_run,
        bounded.emissions_kg_median,
        bounded.score_median,
        bounded.score_per_kg_median,
        bounded.score_per_kg_median * exp(-{{ z() }} * sqrt(bounded.log_variance)) as score_per_kg_median_low,
        bounded.score_per_kg_median * exp({{ z() }} * sqrt(bounded.log_variance)) as score_per_kg_median_high,
        coalesce(paired.n_pairs, 0) as n_pairs,
        paired.child_parent_emissions_ratio_median,
        exp(paired.log_mean) as child_parent_emissions_ratio_mean,
        case
            when paired.n_pairs >= 3
                then exp(
                    paired.log_mean
                    - coalesce(student_t.t_975, {{ t_975('(paired.n_pairs - 1)') }})
                    * paired.log_deviation
                    / sqrt(paired.n_pairs)
                )
        end as child_parent_emissions_ratio_low,
        case
            when paired.n_pairs >= 3
                then exp(
                    paired.log_mean
                    + coalesce(student_t.t_975, {{ t_975('(paired.n_pairs - 1)') }})
                    * paired.log_deviation
                    / sqrt(paired.n_pairs)
                )
        end as child_parent_emissions_ratio_high,
        case when bounded.provider = 'official' then exp(adjusted.log_multiplier) end as official_multiplier,
        case
            when bounded.provider = 'official' then exp(adjusted.log_multiplier - adjusted.t * adjusted.log_error)
        end as official_multiplier_low,
        case
            when bounded.provider = 'official' then exp(adjusted.log_multiplier + adjusted.t * adjusted.log_error)
        end as official_multiplier_high,
        versions.evidence_through,
        versions.row_version
    from bounded
    inner join versions on bounded.basis = versions.basis and bounded.as_of = versions.as_of
    left join paired
        on
            bounded.bucket = paired.bucket
            and bounded.provider = paired.provider
            and bounded.basis = paired.basis
            and bounded.as_of = paired.as_of
    left join adjusted
        on bounded.bucket = adjusted.bucket and bounded.basis = adjusted.basis and bounded.as_of = adjusted.as_of
    left join {{ ref('student_t') }} as student_t
        on paired.n_pairs - 1 = student_t.degrees_of_freedom
)

select * from final
