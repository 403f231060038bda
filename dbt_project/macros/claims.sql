{#-
Words of study_claims with the claim's own thresholds: each stands in braces under its column's name, and a share becomes
percent. One that the claim does not have stays in its braces, which data_tests/thresholds_in_words.sql finds.
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
