{#- Schemas are called as configured, without the target's name before them: readers query marts.<mart>. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
