{#-
Deletes the documents of task evaluations whose metric has since turned out to be binary, or not to be: another model
may show that the metric is a share although all of this model's documents scored 0 or 1.
-#}
{% macro forget_judged_otherwise(scores) -%}
    {%- if is_incremental() -%}
        delete from {{ this }} as existing
        using {{ scores }} as scores
        where
            existing.run_id = scores.run_id
            and existing.task = scores.task
            and existing.repetition = scores.repetition
            and existing.score is not null
            and (existing.correct is not null) != scores.is_binary
    {%- endif -%}
{%- endmacro %}

{#- Number of a document among identical documents of the same evaluation: 1, unless the task repeats a document. -#}
{% macro document_copy() -%}
    row_number() over (
        partition by run_id, task, repetition, document_hash
        order by document_id
    )
{%- endmacro %}
