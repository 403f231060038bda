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
