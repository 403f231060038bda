{#- How a task was evaluated, from the relations `runs`, `inference` and `methods` of int_task_evaluations. -#}
{% macro setting() -%}
    concat_ws(
        ' | ',
        'machine=' || runs.machine_id,
        'device=' || runs.device || ' (' || runs.device_name || ')',
        'precision=' || runs.dtype,
        'engine=' || runs.engine || ' ' || runs.engine_version,
        'batch=' || runs.batch_policy,
        'threads=' || runs.threads || coalesce(' ' || runs.thread_policy, ''),
        'harness=' || runs.harness_version,
        'meter=' || runs.meter || ' ' || runs.meter_version,
        'boundary=' || coalesce(inference.boundary, 'none'),
        'methods=' || coalesce(methods.energy_method, 'none')
    )
{%- endmacro %}

{#-
Energies are compared only between rows with the same key. The suite's version is a hash of what it asks, including each
task's few-shot setting and limit.
-#}
{% macro comparability_key(setting, suite, suite_version) -%}
    {{ setting }} || ' | suite=' || {{ suite }} || '@' || {{ suite_version }}
{%- endmacro %}

{#- The key of an evaluation of which only a part was asked: it is compared with no complete one. -#}
{% macro asked_in_part(comparability_key) -%}
    {{ comparability_key }} || ' | asked=part'
{%- endmacro %}

{% macro comparability_hash(comparability_key) -%}
    left(sha256({{ comparability_key }}), 16)
{%- endmacro %}

{#- An aggregate over a suite's tasks: the suite's question, which is their evaluations and shares of the weight. -#}
{% macro question(fingerprint, weight_share) -%}
    string_agg({{ fingerprint }} || ' ' || round({{ weight_share }}, 9), ', ' order by task)
{%- endmacro %}

{#- Rank among the current models of the same comparability key; NULL without a value. -#}
{% macro rank_inside_key(value, direction) -%}
    case
        when derived.is_current and {{ value }} is not null
            then rank() over (
                partition by derived.comparability_key, derived.is_current, {{ value }} is null
                order by {{ value }} {{ direction }}
            )
    end
{%- endmacro %}
