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

{#- A window's energy for shares of a whole: a short window is imprecise, but cannot move a share by much. -#}
{% macro countable(energy_kwh, quality_flags) -%}
    case when coalesce({{ quality_flags }}, 'too_short') = 'too_short' then {{ energy_kwh }} end
{%- endmacro %}
