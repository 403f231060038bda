{#- NULL is allowed; NaN and infinity are not. NaN would pass a plain comparison with zero. As never_null, one test for
    all of a table's columns. -#}
{% test not_negative(model, columns) %}
    select *
    from {{ model }}
    where
        {% for column in columns -%}
            {{ 'or ' if not loop.first }}{{ column }} < 0 or not isfinite({{ column }})
        {% endfor %}
{% endtest %}
