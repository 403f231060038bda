{#- A code in words: 'holds_in_direction' becomes "holds in direction". Queries use codes, people read words. -#}
{% macro in_words(code) -%}
    replace({{ code }}, '_', ' ')
{%- endmacro %}

{#-
A verdict on two models, with what limits it: "less, one row per side". Only verdicts with a direction mention a limit.
-#}
{% macro verdict_in_words(verdict_code, reason_code) -%}
    {{ in_words(verdict_code) }} || case
        when {{ verdict_code }} not in ('less', 'more') then ''
        when {{ reason_code }} = 'too_few_repetitions' then ', too few repetitions to be sure'
        when {{ reason_code }} = 'one_row_a_side' then ', one row per side'
        else ''
    end
{%- endmacro %}

{#-
How much was asked for a verdict on the score, and what the rest would bring; NULL where nobody looked before all was
asked. The same words as evaluators/landing/stops.py's.
-#}
{% macro asked_in_words(stop_reason, score_verdict_code, documents_asked, documents_total) -%}
    case
        when {{ stop_reason }} is not null
            then
                format('{:,} of {:,} asked', {{ documents_asked }}, {{ documents_total }})
                || case
                    when {{ stop_reason }} = 'budget' then '; the time was up'
                    when {{ stop_reason }} = 'given_up' and {{ score_verdict_code }} = 'no_difference_shown'
                        then '; the rest would show one with a chance below 10 %'
                    else ''
                end
    end
{%- endmacro %}

{#- Why two models cannot be compared, in words. `of_sides`: the sides' own reason, for codes without words. -#}
{% macro reason_in_words(reason_code, of_sides='null') -%}
    case {{ reason_code }}
        when 'asked_differently' then 'asked differently'
        when 'no_mean_over_documents' then 'a metric is not a mean over the documents'
        when 'different_documents' then 'the two did not answer the same documents'
        when 'at_or_below_chance' then 'a task is at or below chance, where the score stops falling'
        when 'nothing_is_generated' then 'nothing is generated'
        when 'one_generated_nothing' then 'one of the two generated nothing'
        when 'too_few_documents' then 'too few documents'
        when 'one_row_a_side' then 'one row per side'
        when 'only_a_part' then 'only a part was asked'
        when 'asked_until_width' then 'it was asked until its score was known, not until a difference was'
        else {{ of_sides }}
    end
{%- endmacro %}

{#- Why a figure is missing: the reason of each side under its name, or the common one if they agree. -#}
{% macro reason_of_sides(reason) -%}
    coalesce(
        case when base.{{ reason }} = finetuned.{{ reason }} then base.{{ reason }} end,
        'base: ' || base.{{ reason }},
        'fine-tuned: ' || finetuned.{{ reason }}
    )
{%- endmacro %}
