{#- Two-sided 95 % quantile of the standard normal distribution. -#}
{% macro z() -%}
    1.959963984540054
{%- endmacro %}

{#-
One end of the 95 % interval of a difference of paired proportions (Bonett and Price 2012, Adjusted Wald confidence
interval for a difference of binomial proportions based on paired data, J. Educ. Behav. Stat. 37(4), 479-488):
one discordant pair of each kind is added. `sign` is + or -.
-#}
{% macro paired_difference_bound(n, only_second, only_first, sign) -%}
    ({{ only_second }} - {{ only_first }}) / ({{ n }} + 2.0)
    {{ sign }} {{ z() }} * sqrt({{ paired_difference_variance(n, only_second, only_first) }})
{%- endmacro %}

{#- Variance of a difference of paired proportions, adjusted as above. -#}
{% macro paired_difference_variance(n, only_second, only_first) -%}
    (
        ({{ only_second }} + {{ only_first }} + 2.0) / ({{ n }} + 2.0)
        - pow(({{ only_second }} - {{ only_first }}) / ({{ n }} + 2.0), 2)
    ) / ({{ n }} + 2.0)
{%- endmacro %}

{#-
One stratum's part of the variance of log(Y / X), Y and X totals over paired documents: linearisation of the combined
ratio estimate (Cochran 1977, Sampling Techniques, 3rd ed., sections 6.3 and 6.11), residuals y/Y - x/X. For 0/1
values it is the variance of a ratio of paired proportions, up to n/(n-1). `x`, `y`, `xx`, `xy`, `yy` are the
stratum's sums, `total_x` and `total_y` those of all strata.
-#}
{% macro log_ratio_variance_part(n, x, y, xx, xy, yy, total_x, total_y) -%}
    {{ n }} / nullif({{ n }} - 1.0, 0) * (
        {{ yy }} / pow({{ total_y }}, 2)
        - 2 * {{ xy }} / ({{ total_x }} * {{ total_y }})
        + {{ xx }} / pow({{ total_x }}, 2)
        - pow({{ y }} / {{ total_y }} - {{ x }} / {{ total_x }}, 2) / {{ n }}
    )
{%- endmacro %}

{#-
Variance of the logarithm of a median, distribution-free (Price and Bonett 2002, Distribution-free confidence intervals
for difference and ratio of medians, J. Stat. Comput. Simul. 72(2), 119-124): from the order statistics c and n - c + 1
with c = (n + 1)/2 - sqrt(n), whose normal quantile is 2 up to the binomial's rounding. NULL below six values.
-#}
{% macro log_median_variance(values) -%}
    case
        when len({{ values }}) >= 6
            then pow((
                ln(list_sort({{ values }})[len({{ values }}) - {{ order_statistic(values) }} + 1])
                - ln(list_sort({{ values }})[{{ order_statistic(values) }}])
            ) / 4, 2)
    end
{%- endmacro %}

{% macro order_statistic(values) -%}
    greatest(round((len({{ values }}) + 1) / 2.0 - sqrt(len({{ values }}))), 1)::int
{%- endmacro %}

{#- One end of the 95 % interval of a proportion (Wilson 1927, J. Am. Stat. Assoc. 22, 209-212). `sign` is + or -. -#}
{% macro wilson_bound(successes, n, sign) -%}
    case
        when {{ n }} > 0
            then (
                {{ successes }} + pow({{ z() }}, 2) / 2
                {{ sign }} {{ z() }} * sqrt(
                    {{ successes }} * ({{ n }} - {{ successes }}) / {{ n }}::double + pow({{ z() }}, 2) / 4
                )
            ) / ({{ n }} + pow({{ z() }}, 2))
    end
{%- endmacro %}
