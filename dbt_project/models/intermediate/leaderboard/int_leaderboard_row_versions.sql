{{ config(materialized='view') }}

with evaluations as (
    select
        snapshot_date,
        eval_name,
        name_key,
        revision,
        precision,
        chat_template_applied,
        weight_type,
        emissions_published_kg
    from {{ ref('int_leaderboard_models') }}
),

runs as (
    select * from {{ ref('int_leaderboard_runs') }}
),

measured as (
    select * from {{ ref('stg_models') }}
),

-- A model metered here is the same one only if commit, name, precision and chat template agree and no adapter is
-- suspected: adapters carry their base's commit.
identities as (
    select
        evaluations.snapshot_date,
        evaluations.eval_name,
        arg_max(measured.model_key, measured.run_id) as model_key
    from evaluations
    inner join measured
        on
            evaluations.revision = measured.revision
            and {{ model_alias('evaluations.name_key') }} = {{ model_alias('lower(measured.source_ref)') }}
            and evaluations.precision = measured.dtype
            and evaluations.chat_template_applied = measured.chat_template_applied
    where
        measured.source = 'hub'
        and measured.adapter_revision is null
        and measured.quantization is null
        and coalesce(evaluations.weight_type != 'Adapter', true)
    group by evaluations.snapshot_date, evaluations.eval_name
),

-- Two rows of one state cannot both be the same model.
certain_identities as (
    select *
    from identities
    qualify count(*) over (partition by snapshot_date, model_key) = 1
),

final as (
    select
        evaluations.snapshot_date as as_of,
        evaluations.eval_name,
        coalesce(certain_identities.model_key, left(sha256('open-llm-leaderboard/' || evaluations.eval_name), 16))
            as model_key,
        certain_identities.model_key is not null as is_measured_here,
        case when evaluations.emissions_published_kg is not null then runs.emissions_per_run_kg end
            as emissions_per_run_kg,
        case when evaluations.emissions_published_kg is not null then runs.per_run_method end as per_run_method,
        case
            when evaluations.emissions_published_kg is null then 'the table has no CO2 for it'
            else runs.per_run_reason
        end as per_run_reason,
        -- greatest() ignores NULL, so an unknown number of runs would become 1.
        case
            when evaluations.emissions_published_kg is not null and runs.emissions_per_run_kg > 0
                then greatest(round(evaluations.emissions_published_kg / runs.emissions_per_run_kg), 1)::bigint
        end as runs,
        coalesce(evaluations.emissions_published_kg / nullif(runs.emissions_per_run_kg, 0) >= 1.5, false)
            as is_multi_run,
        runs.evidence_from
    from evaluations
    left join runs on evaluations.eval_name = runs.eval_name
    left join certain_identities
        on
            evaluations.snapshot_date = certain_identities.snapshot_date
            and evaluations.eval_name = certain_identities.eval_name
)

select
    *,
    hash(model_key, emissions_per_run_kg, per_run_method, per_run_reason, runs, is_multi_run, evidence_from)
        as row_version
from final
