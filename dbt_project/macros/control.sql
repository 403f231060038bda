{#- The flag after a left join with int_control_nights; the control workload does not run every night. -#}
{% macro control_flag() -%}
    coalesce(control.control_flag, 'no_control')
{%- endmacro %}

{#-
One value's contribution to the exponentially weighted moving average, `age` values later (Roberts 1959, Control chart
tests based on geometric moving averages, Technometrics 1(3), 239-250). The average is the sum of the contributions and
of the start with its remaining weight.
-#}
{% macro ewma_part(value, age, smoothing) -%}
    {{ smoothing }} * pow(1 - {{ smoothing }}, {{ age }}) * {{ value }}
{%- endmacro %}

{% macro ewma_start(start, number, smoothing) -%}
    pow(1 - {{ smoothing }}, {{ number }}) * {{ start }}
{%- endmacro %}

{#-
Half width of the band for the average of `number` values (Lucas and Saccucci 1990, Exponentially weighted moving
average control schemes, Technometrics 32(1), 1-12).
-#}
{% macro ewma_limit(sigma, number, smoothing, limit_sigmas) -%}
    {{ limit_sigmas }} * {{ sigma }} * sqrt(
        {{ smoothing }} / (2 - {{ smoothing }}) * (1 - pow(1 - {{ smoothing }}, 2 * {{ number }}))
    )
{%- endmacro %}
