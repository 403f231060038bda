{#- One test for all of a table's columns: every test costs a refresh a tenth of a second. -#}
{% test never_null(model, columns) %}
    select *
    from {{ model }}
    where {{ columns | join(' is null or ') }} is null
{% endtest %}
