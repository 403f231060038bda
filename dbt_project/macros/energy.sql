{#- Joules of an energy in kWh. -#}
{% macro joules(energy_kwh) -%}
    ({{ energy_kwh }}) * 3.6e6
{%- endmacro %}

{#- kg CO2e of an energy in kWh (docs: measurement, carbon): location-based, with the site's overhead. -#}
{% macro emissions_kg(energy_kwh, pue, grid_intensity_g_per_kwh) -%}
    ({{ energy_kwh }}) * {{ pue }} * {{ grid_intensity_g_per_kwh }} / 1000
{%- endmacro %}

{#- Whether a window's energy may be averaged, compared or ranked: known, and without any doubt. -#}
{% macro is_usable(energy_kwh, quality_flags) -%}
    ({{ energy_kwh }} is not null and {{ quality_flags }} is null)
{%- endmacro %}

{#- Ten updates of the slowest sensor, as in evaluators/energy/quality.py. -#}
{% macro shortest_window_s() -%}
    1.0
{%- endmacro %}

{#- A window's energy for shares of a whole: a short window is imprecise, but cannot move a share by much. -#}
{% macro countable(energy_kwh, quality_flags) -%}
    case when coalesce({{ quality_flags }}, 'too_short') = 'too_short' then {{ energy_kwh }} end
{%- endmacro %}

{#- How the energy of each component was obtained, in words. -#}
{% macro energy_method() -%}
    coalesce(nullif(concat_ws(
        ', ',
        case when gpu_method != 'absent' then 'gpu ' || gpu_method end,
        case when cpu_method != 'absent' then 'cpu ' || cpu_method end,
        case when ram_method != 'absent' then 'ram ' || ram_method end
    ), ''), 'none')
{%- endmacro %}

{#- Without a factor between wall and meter, energies rank models of the same machine and are no absolute values. -#}
{% macro energy_valid_for(calibration_factor) -%}
    case when {{ calibration_factor }} is null then 'ranking only' else 'absolute figures' end
{%- endmacro %}

{#- The sum over the rows that the condition names; NULL where one of them is not known, or there is none. -#}
{% macro whole_sum(figure, condition) -%}
    case
        when count({{ figure }}) filter (where {{ condition }}) = count(*) filter (where {{ condition }})
            then sum({{ figure }} order by {{ figure }}) filter (where {{ condition }})
    end
{%- endmacro %}
