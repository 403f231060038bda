{#- No column is NULL, and no combination occurs twice. Failing rows: the key and how often it occurs. -#}
{% test primary_key(model, columns) %}
    select
        {{ columns | join(', ') }},
        count(*) as occurrences
    from {{ model }}
    group by all
    having count(*) > 1 or {{ columns | join(' is null or ') }} is null
{% endtest %}
