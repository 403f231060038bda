{#-
The incremental strategy of what rests on the leaderboard's rows. Each row's evidence_hash says what it rests on, and
`evidence`, a relation with the same key, what that is now: rows that rest on something else by now are deleted (a later
state may rewrite what is known of an earlier one), and so are metered rows, which have no hash; then the model's are
added. It selects what is missing by `is_missing` or `is_of_a_missing_state`. A build that was killed in between makes up
for it the next time.

A state's figures are one piece of evidence, unless the model names another: `unique_key`, and `evidence` in its `meta`.
-#}
{% macro get_incremental_by_evidence_sql(arg_dict) %}
    {%- set evidence = ref(config.get('meta').get('evidence', 'int_leaderboard_evidence')) -%}
    delete from {{ arg_dict['target_relation'] }} as existing
    where not exists (
        select 1
        from {{ evidence }} as evidence
        where {{ have_same_evidence(arg_dict['unique_key'] or ['basis', 'as_of'], 'evidence') }}
    );
    {{ get_incremental_append_sql(arg_dict) }}
{% endmacro %}

{#- Whether `source`, a row of the evidence, has no row yet that rests on it as it is now. -#}
{% macro is_missing(source, key) -%}
    {%- if is_incremental() -%}
        not exists (
            select 1
            from {{ this }} as existing
            where {{ have_same_evidence(key, source) }}
        )
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{#- Few states are missing, and put like this DuckDB reads no more of the source than these. -#}
{% macro is_of_a_missing_state(source) -%}
    {%- set evidence = ref('int_leaderboard_evidence') -%}
    {%- if is_incremental() -%}
        ({{ source }}.basis, {{ source }}.as_of) in (
            select (evidence.basis, evidence.as_of)
            from {{ evidence }} as evidence
            where {{ is_missing('evidence', ['basis', 'as_of']) }}
        )
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{% macro have_same_evidence(key, source) -%}
    {%- for column in key %}existing.{{ column }} = {{ source }}.{{ column }} and {% endfor -%}
    existing.evidence_hash = {{ source }}.evidence_hash
{%- endmacro %}

{#-
What every row tells of the newest state held, and its evidence_hash leaves out, so that one more state makes no other
state's rows again: these update it, as post-hooks.
-#}
{% macro renew_evidence_through() -%}
    update {{ this }} as existing set evidence_through = evidence.evidence_through
    from {{ ref('int_leaderboard_evidence') }} as evidence
    where
        evidence.basis = existing.basis
        and evidence.as_of = existing.as_of
        and evidence.evidence_through != existing.evidence_through
{%- endmacro %}

{% macro renew_is_current() -%}
    update {{ this }} as existing set is_current = not existing.is_current
    where
        existing.basis != 'measured'
        and existing.is_current
        != (existing.as_of = (select max(evidence.as_of) from {{ ref('int_leaderboard_evidence') }} as evidence))
{%- endmacro %}
