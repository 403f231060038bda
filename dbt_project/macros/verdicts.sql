{#- The words of a code: 'cannot_be_told' is "cannot be told". Decisions read codes, people read their words. -#}
{% macro in_words(code) -%}
    replace({{ code }}, '_', ' ')
{%- endmacro %}
