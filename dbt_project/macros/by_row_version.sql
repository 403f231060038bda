{#-
The incremental strategy for rows derived from the leaderboard. A row's row_version is a hash of everything it rests on,
and the relation `versions`, which has the same key, holds the current hashes. The strategy deletes rows whose version is
no longer current, because a later state may change what is known about an earlier one, and metered rows, which have no
version. It then inserts what the model selects, which filters by `is_missing` or `is_of_a_missing_state`. If a build is
killed in between, the next one catches up.

By default a whole state has one version. A model with versions per row names their relation as `versions` in its `meta`
and their key as `unique_key`.
-#}
{% macro get_incremental_by_row_version_sql(arg_dict) %}
    {%- set versions = ref(config.get('meta').get('versions', 'int_leaderboard_state_versions')) -%}
    delete from {{ arg_dict['target_relation'] }} as existing
    where not exists (
        select 1
        from {{ versions }} as versions
        where {{ have_same_version(arg_dict['unique_key'] or ['basis', 'as_of'], 'versions') }}
    );
    {{ get_incremental_append_sql(arg_dict) }}
{% endmacro %}

{#- Whether no existing row has the version of `source`, a row of the versions. -#}
{% macro is_missing(source, key) -%}
    {%- if is_incremental() -%}
        not exists (
            select 1
            from {{ this }} as existing
            where {{ have_same_version(key, source) }}
        )
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{#- Whether a row belongs to a state whose version is missing. In this form DuckDB reads only those states' rows. -#}
{% macro is_of_a_missing_state(source) -%}
    {%- set versions = ref('int_leaderboard_state_versions') -%}
    {%- if is_incremental() -%}
        ({{ source }}.basis, {{ source }}.as_of) in (
            select (versions.basis, versions.as_of)
            from {{ versions }} as versions
            where {{ is_missing('versions', ['basis', 'as_of']) }}
        )
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{% macro have_same_version(key, source) -%}
    {%- for column in key %}existing.{{ column }} = {{ source }}.{{ column }} and {% endfor -%}
    existing.row_version = {{ source }}.row_version
{%- endmacro %}

{#-
Post-hooks for the columns that depend on the newest state held. These columns are not part of row_version; otherwise
each new state would rebuild the rows of all others.
-#}
{% macro renew_evidence_through() -%}
    update {{ this }} as existing set evidence_through = versions.evidence_through
    from {{ ref('int_leaderboard_state_versions') }} as versions
    where
        versions.basis = existing.basis
        and versions.as_of = existing.as_of
        and versions.evidence_through != existing.evidence_through
{%- endmacro %}

{% macro renew_is_current() -%}
    update {{ this }} as existing set is_current = not existing.is_current
    where
        existing.basis != 'measured'
        and existing.is_current
        != (existing.as_of = (select max(versions.as_of) from {{ ref('int_leaderboard_state_versions') }} as versions))
{%- endmacro %}
