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

{#- Whether a window's energy may be averaged, compared or ranked: known, and without any doubt. -#}
{% macro is_usable(energy_kwh, quality_flags) -%}
    ({{ energy_kwh }} is not null and {{ quality_flags }} is null)
{%- endmacro %}

{#- Ten updates of the slowest sensor. -#}
{% macro shortest_window_s() -%}
    1.0
{%- endmacro %}

{#-
Why a window's energy enters no figure; NULL where it enters them. What is too short alone counts where the run repeated
it until its windows lasted long enough together. A window without an energy adds nothing to that. It reads the columns
of int_task_evaluations.
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
The doubts about a window that concern its GPU; NULL without any. What other programs take of the CPU says nothing about
a GPU's counter. A sensor's fault removes the figure of its component: where the CPU's or the RAM's figure is missing and
the GPU's is there, the fault is theirs. All other doubts concern all components.
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

{#- An aggregate of comma-separated flags: each once, in order, separated in the same way; NULL without any. -#}
{% macro all_flags(flags) -%}
    array_to_string(list_sort(list_distinct(string_split(string_agg({{ flags }}, ','), ','))), ',')
{%- endmacro %}

{#- Whether the energies of a boundary have a GPU in them. -#}
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

{#- Without a factor between wall and meter, energies rank models of the same machine and are no absolute values. -#}
{% macro energy_valid_for(calibration_factor) -%}
    case when {{ calibration_factor }} is null then 'ranking only' else 'absolute figures' end
{%- endmacro %}

{#- The sum over the rows that the condition names, as far as they are known; NULL where none of them is. -#}
{% macro known_sum(figure, condition) -%}
    sum({{ figure }} order by {{ figure }}) filter (where {{ condition }})
{%- endmacro %}

{#- The same, NULL where one of them is not known. -#}
{% macro whole_sum(figure, condition) -%}
    case
        when count({{ figure }}) filter (where {{ condition }}) = count(*) filter (where {{ condition }})
            then {{ known_sum(figure, condition) }}
    end
{%- endmacro %}
