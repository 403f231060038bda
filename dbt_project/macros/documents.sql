{#- Number of a document among identical documents of the same evaluation: 1, unless the task repeats a document. -#}
{% macro document_copy() -%}
    row_number() over (
        partition by run_id, task, repetition, document_hash
        order by document_id
    )
{%- endmacro %}
