{#- Schemas have their configured name, without the target's name as a prefix: readers query marts.<mart>. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
