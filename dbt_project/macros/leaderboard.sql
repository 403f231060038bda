{#- kWh behind a CO2 value of the leaderboard: the inverse of its formula. -#}
{% macro leaderboard_energy_kwh(emissions_kg) -%}
    ({{ emissions_kg }}) * 1000 / {{ var('leaderboard_grid_g_per_kwh') }}
{%- endmacro %}

{#- All evaluations of the leaderboard ran on one kind of machine and therefore share one key. -#}
{% macro leaderboard_comparability_key() -%}
    'open-llm-leaderboard v2 | 8 x H100 | nameplate {{ var('leaderboard_nameplate_kw') }} kW x hours | suite=leaderboard'
{%- endmacro %}

{#- A score as the leaderboard normalises it: 0 at guessing, 100 at everything right (its normalization.md). -#}
{% macro leaderboard_normalised(raw, chance) -%}
    greatest(0, ({{ raw }} - {{ chance }}) / (1 - {{ chance }})) * 100
{%- endmacro %}

{#-
A name shared by renamed repositories: lower case, without the organisation's first word before the model's name, so
that meta-llama/Meta-Llama-3.1-8B and meta-llama/Llama-3.1-8B have the same alias. An alias is used only if the name
itself is not in the table.
-#}
{% macro model_alias(name_key) -%}
    case
        when starts_with(
            split_part({{ name_key }}, '/', 2), regexp_extract({{ name_key }}, '^[a-z0-9]+') || '-'
        )
            then
                split_part({{ name_key }}, '/', 1) || '/'
                || substr(split_part({{ name_key }}, '/', 2), length(regexp_extract({{ name_key }}, '^[a-z0-9]+')) + 2)
        else {{ name_key }}
    end
{%- endmacro %}

{#- For incremental models with rows of a state: only states not yet present. A landed state never changes. -#}
{% macro only_new_states(column) -%}
    {%- if is_incremental() -%}
        where {{ column }} not in (select distinct existing.{{ column }} from {{ this }} as existing)
    {%- endif -%}
{%- endmacro %}

{#- Two-sided 95 % quantile of Student's t beyond the seed's 30 degrees of freedom, by Cornish and Fisher's expansion
(Abramowitz and Stegun 1964, 26.7.5), which is good to 1e-4 there. -#}
{% macro t_975(degrees_of_freedom) -%}
    (
        {{ z() }}
        + (pow({{ z() }}, 3) + {{ z() }}) / (4 * {{ degrees_of_freedom }})
        + (5 * pow({{ z() }}, 5) + 16 * pow({{ z() }}, 3) + 3 * {{ z() }}) / (96 * pow({{ degrees_of_freedom }}, 2))
        + (3 * pow({{ z() }}, 7) + 19 * pow({{ z() }}, 5) + 17 * pow({{ z() }}, 3) - 15 * {{ z() }})
        / (384 * pow({{ degrees_of_freedom }}, 3))
    )
{%- endmacro %}
