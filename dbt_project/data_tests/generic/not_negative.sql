{#- NULL is allowed; NaN and infinity are not. NaN would pass a plain comparison with zero. -#}
{% test not_negative(model, column_name) %}
    select *
    from {{ model }}
    where {{ column_name }} < 0 or not isfinite({{ column_name }})
{% endtest %}
