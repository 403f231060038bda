{#-
Texts of study_claims with the claim's own thresholds in place of their column names in braces; shares become percent.
A threshold that the claim lacks stays in braces, which data_tests/thresholds_in_words.sql detects.
-#}
{% macro with_thresholds(words) -%}
    {%- set filled = namespace(sql=words) -%}
    {%- for threshold in [
        'params_below_b', 'least_score', 'emissions_below_kg', 'least_share', 'least_n', 'least_groups', 'holds_from',
        'holds_to', 'direction_from', 'reversed_below'
    ] -%}
        {%- set figure = "format('{:g} %', 100 * least_share)" if threshold == 'least_share'
            else "format('{:g}', " ~ threshold ~ "::double)" -%}
        {%- set filled.sql
            = "replace(" ~ filled.sql ~ ", '{" ~ threshold ~ "}', coalesce(" ~ figure ~ ", '{" ~ threshold ~ "}'))" -%}
    {%- endfor -%}
    {{ filled.sql }}
{%- endmacro %}
