{#- The phases of a run, in their order, separated by commas. -#}
{% macro phases() -%}
    idle, load, warmup, inference, scoring
{%- endmacro %}

{#- Joules of an energy in kWh. -#}
{% macro joules(energy_kwh) -%}
    ({{ energy_kwh }}) * 3.6e6
{%- endmacro %}

{#- kg CO2e of an energy in kWh (docs: measurement, carbon): location-based, with the site's overhead. -#}
{% macro emissions_kg(energy_kwh, pue, grid_intensity_g_per_kwh) -%}
    ({{ energy_kwh }}) * {{ pue }} * {{ grid_intensity_g_per_kwh }} / 1000
{%- endmacro %}

{#- Whether a window's energy may be averaged, compared or ranked: known and without doubts. -#}
{% macro is_usable(energy_kwh, quality_flags) -%}
    ({{ energy_kwh }} is not null and {{ quality_flags }} is null)
{%- endmacro %}

{#- Ten updates of the slowest sensor. -#}
{% macro shortest_window_s() -%}
    1.0
{%- endmacro %}

{#-
Why a window's energy enters no figure; NULL if it does. A window whose only doubt is that it is too short counts if the
run repeated it until its windows lasted long enough together; windows without an energy do not add to that. Reads the
columns of int_task_evaluations.
-#}
{% macro uncounted_reason(energy_kwh, quality_flags) -%}
    case
        when {{ is_usable(energy_kwh, quality_flags) }} then null
        when
            {{ quality_flags }} = 'too_short' and {{ energy_kwh }} is not null
            and fsum(duration_s) filter (
                where {{ energy_kwh }} is not null and coalesce({{ quality_flags }}, 'too_short') = 'too_short'
            ) over (partition by run_id, task) >= {{ shortest_window_s() }}
            then null
        when {{ quality_flags }} is not null then 'flagged ' || {{ quality_flags }}
        else 'not metered'
    end
{%- endmacro %}

{#-
The doubts about a window that concern its GPU; NULL without any. CPU time of other programs does not affect a GPU's
counter. A faulty sensor removes the figure of its component: if the CPU's or RAM's figure is missing and the GPU's is
present, the fault is not the GPU's. All other doubts concern all components.
-#}
{% macro gpu_doubts(window) -%}
    nullif(ltrim(regexp_replace(
        ',' || {{ window }}.quality_flags,
        case
            when
                {{ window }}.gpu_energy_kwh is not null
                and (
                    ({{ window }}.cpu_method != 'absent' and {{ window }}.cpu_energy_kwh is null)
                    or ({{ window }}.ram_method != 'absent' and {{ window }}.ram_energy_kwh is null)
                )
                then ',(foreign_load|negative|not_finite|absurd|stuck)\b'
            else ',foreign_load\b'
        end,
        '', 'g'
    ), ','), '')
{%- endmacro %}

{#- Aggregates comma-separated flags: each once, sorted and separated by commas; NULL without any. -#}
{% macro all_flags(flags) -%}
    array_to_string(list_sort(list_distinct(string_split(string_agg({{ flags }}, ','), ','))), ',')
{%- endmacro %}

{#- Whether the energies of a boundary include a GPU. -#}
{% macro has_gpu(boundary) -%}
    coalesce(contains({{ boundary }}, 'gpu'), false)
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

{#- Without a factor between wall and meter, energies only rank models on the same machine. -#}
{% macro energy_valid_for(calibration_factor) -%}
    case when {{ calibration_factor }} is null then 'ranking only' else 'absolute figures' end
{%- endmacro %}

{#- The sum of the known figures over the rows that satisfy the condition; NULL if none is known. -#}
{% macro known_sum(figure, condition) -%}
    sum({{ figure }} order by {{ figure }}) filter (where {{ condition }})
{%- endmacro %}

{#- The same, but NULL if any of them is unknown. -#}
{% macro whole_sum(figure, condition) -%}
    case
        when count({{ figure }}) filter (where {{ condition }}) = count(*) filter (where {{ condition }})
            then {{ known_sum(figure, condition) }}
    end
{%- endmacro %}
