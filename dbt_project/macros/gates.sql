{#-
A warning about tuning on what the gates ask. Each of them lets a model pass that is worse by the margin with a chance of
up to 5 %: one of 14 does so more likely than not (1 - 0.95^14 = 51 %, with 13 it is 49 %). NULL before that.
-#}
{% macro tuning_warning(number) -%}
    case
        when {{ number }} >= 14
            then format(
                'gate {} of this model on this suite against this reference: of so many, one lets a model pass that is '
                'worse by the margin with a chance of {:.0f} %; judge what you ship on documents that nobody tuned on',
                {{ number }}, 100 * (1 - pow(0.95, {{ number }}))
            )
    end
{%- endmacro %}

{#- A reason with the names that the sides have in a gate: the deltas call them base and fine-tuned. -#}
{% macro reason_of_a_gate(reason) -%}
    replace(replace({{ reason }}, 'base: ', 'reference: '), 'fine-tuned: ', 'candidate: ')
{%- endmacro %}
