{#- Two-sided 95 % quantile of the standard normal distribution. -#}
{% macro z() -%}
    1.959963984540054
{%- endmacro %}

{#- Its 95 % quantile, for one-sided tests at 5 % and the 90 % interval that shows equivalence. -#}
{% macro z_one_sided() -%}
    1.6448536269514722
{%- endmacro %}

{#-
Difference of paired proportions, in the middle of its interval (Bonett and Price 2012, Adjusted Wald confidence interval
for a difference of binomial proportions based on paired data, J. Educ. Behav. Stat. 37(4), 479-488): one discordant pair
of each kind is added.
-#}
{% macro paired_difference(n, only_second, only_first) -%}
    ({{ only_second }} - {{ only_first }}) / ({{ n }} + 2.0)
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

{#-
One end of the 95 % interval of a task's score: Wilson's where each document is right or wrong, else lm-eval's own
standard error, which is that of the mean, or bootstrapped unless the metric is a mean. Reads the columns of
int_task_evaluations.
-#}
{% macro score_bound(sign) -%}
    case
        when is_binary
            then
                coalesce(scale, 1) * {{ wilson_bound(
                    'case when higher_is_better then correct_answers else n_documents - correct_answers end',
                    'n_documents', sign
                ) }}
        else score {{ sign }} {{ z() }} * score_stderr
    end
{%- endmacro %}

{#-
Variance of the logarithm of a share of correct answers (Katz et al. 1978, Biometrics 34(3), 469-474), with half an
answer added (Walter 1975, Biometrika 62(2), 371-374), so that it is known where none or all are correct.
-#}
{% macro log_proportion_variance(successes, n) -%}
    (1 / ({{ successes }} + 0.5) - 1 / ({{ n }} + 0.5))
{%- endmacro %}

{#- Variance of a mean of paired differences, from their sum and the sum of their squares. -#}
{% macro mean_variance(n, total, squares) -%}
    ({{ squares }} - pow({{ total }}, 2) / {{ n }}) / nullif({{ n }} - 1.0, 0) / {{ n }}
{%- endmacro %}

{#-
Two-sided p value of the exact McNemar test: the binomial test of the discordant pairs (McNemar 1947, Psychometrika
12(2), 153-157). The binomial's terms are taken through logarithms of factorials.
-#}
{% macro exact_mcnemar(only_first, only_second) -%}
    least(1, 2 * coalesce((
        select
            sum(exp(
                lgamma({{ only_first }} + {{ only_second }} + 1)
                - lgamma(tail.k + 1)
                - lgamma({{ only_first }} + {{ only_second }} - tail.k + 1)
                - ({{ only_first }} + {{ only_second }}) * ln(2)
            ))
        from (select unnest(range(0, (least({{ only_first }}, {{ only_second }}) + 1)::bigint)) as k) as tail
    ), 0.5))
{%- endmacro %}

{#-
Two-sided p value of a standard normal deviate, good to 1.5e-7 (Abramowitz and Stegun 1964, Handbook of Mathematical
Functions, 26.2.17).
-#}
{% macro normal_p_value(deviate) -%}
    2 * exp(-pow({{ deviate }}, 2) / 2) / sqrt(2 * pi()) * (
        0.319381530 * {{ hastings(deviate, 1) }}
        - 0.356563782 * {{ hastings(deviate, 2) }}
        + 1.781477937 * {{ hastings(deviate, 3) }}
        - 1.821255978 * {{ hastings(deviate, 4) }}
        + 1.330274429 * {{ hastings(deviate, 5) }}
    )
{%- endmacro %}

{% macro hastings(deviate, power) -%}
    pow(1 / (1 + 0.2316419 * abs({{ deviate }})), {{ power }})
{%- endmacro %}

{#-
A p value adjusted for its family of comparisons, in two steps because windows do not nest: `benjamini_hochberg_step`
is p m / rank, and the smallest step of this and all larger p values is the adjusted value (Benjamini and Hochberg 1995,
J. R. Stat. Soc. B 57(1), 289-300).
-#}
{% macro benjamini_hochberg_step(p_value, family) -%}
    {{ p_value }} * count({{ p_value }}) over (partition by {{ family }})
    / nullif(count({{ p_value }}) over (partition by {{ family }} order by {{ p_value }}), 0)
{%- endmacro %}

{% macro benjamini_hochberg(p_value, step, family) -%}
    case
        when {{ p_value }} is not null
            then least(1, min({{ step }}) over (
                partition by {{ family }} order by {{ p_value }} desc
            ))
    end
{%- endmacro %}

{#- A score as a share of the metric's scale, where 1 is the best; NULL if the scale is unknown. -#}
{% macro score_share(score, scale, higher_is_better) -%}
    case when {{ higher_is_better }} then {{ score }} / {{ scale }} else 1 - {{ score }} / {{ scale }} end
{%- endmacro %}

{#- A share from 0 to 1 as points: 0 at chance and below, 100 if everything is right; NULL if unknown. -#}
{% macro score_normalised(share, chance) -%}
    case
        when {{ share }} is not null
            then 100 * least(1, greatest(0, ({{ share }} - {{ chance }}) / (1 - {{ chance }})))
    end
{%- endmacro %}

{#-
One end of the 95 % interval of a ratio whose logarithm has a known variance. `t` is Student's quantile, or the normal
one; `sign` is + or -.
-#}
{% macro ratio_bound(ratio, log_variance, t, sign) -%}
    {{ ratio }} * exp({{ sign }}({{ t }}) * sqrt({{ log_variance }}))
{%- endmacro %}

{#-
Student's quantile for the 95 % interval of a repeated energy, from a join with the seed. A run that repeats until the
interval is narrow checks it after each repetition. It stops on the 98 % interval, which then covers at least 95 %.
-#}
{% macro t_of_energy(is_until_precise) -%}
    case when {{ is_until_precise }} then student_t.t_990 else student_t.t_975 end
{%- endmacro %}

{#- The same for one-sided tests at 5 %. After such a stop, the 95 % quantile would err in up to 7.5 % of cases. -#}
{% macro t_of_energy_one_sided(is_until_precise) -%}
    case when {{ is_until_precise }} then student_t.t_975 else student_t.t_950 end
{%- endmacro %}

{#- How many repetitions the interval of a repeated energy needs. -#}
{% macro fewest_repetitions() -%}
    3
{%- endmacro %}

{% macro fewest_repetitions_in_words() -%}
    {{ ['none', 'one', 'two', 'three', 'four', 'five'][fewest_repetitions() | int] }}
{%- endmacro %}

{#- Degrees of freedom of the mean, for a join with the seed, which ends at 30. -#}
{% macro degrees_of_freedom(repetitions) -%}
    least({{ repetitions }} - 1, 30)
{%- endmacro %}

{#- Why the mean of repeated energies has no interval; NULL if it has one. -#}
{% macro too_few_repetitions(repetitions) -%}
    case
        when {{ repetitions }} = 1 then 'one repetition'
        when {{ repetitions }} < {{ fewest_repetitions() }}
            then {{ repetitions }} || ' repetitions, {{ fewest_repetitions_in_words() }} are needed'
    end
{%- endmacro %}

{#- An aggregate over tasks: the same for their sum, naming up to three tasks if they differ. -#}
{% macro tasks_with_too_few_repetitions(repetitions) -%}
    {%- set is_rare = repetitions ~ ' < ' ~ fewest_repetitions() -%}
    {%- set rare = 'count(*) filter (where ' ~ is_rare ~ ')' -%}
    case
        when min({{ repetitions }}) = max({{ repetitions }}) then {{ too_few_repetitions('min(' ~ repetitions ~ ')') }}
        when {{ rare }} > 0
            then
                case
                    when max({{ repetitions }}) filter (where {{ is_rare }}) = 1 then 'one repetition of '
                    else 'fewer than {{ fewest_repetitions_in_words() }} repetitions of '
                end
                || case
                    when {{ rare }} > 3 then {{ rare }} || ' of ' || count(*) || ' tasks'
                    else string_agg(task, ', ' order by task) filter (where {{ is_rare }})
                end
    end
{%- endmacro %}

{#- Aggregates over independent tasks: the variance of the sum of their mean energies; NULL if one is unknown. -#}
{% macro sum_of_variances() -%}
    case when count(*) = count(energy_variance) then sum(energy_variance order by task) end
{%- endmacro %}

{#- The same for the tasks with a binary metric, relative to the square of their energy. -#}
{% macro relative_variance_of_binary_tasks() -%}
    case
        when count(*) filter (where is_binary) = count(energy_variance) filter (where is_binary)
            then
                sum(energy_variance order by task) filter (where is_binary)
                / nullif(pow(sum(energy_kwh order by task) filter (where is_binary), 2), 0)
    end
{%- endmacro %}

{#- Columns `name`_low and `name`_high of a ratio that involves a repeated energy; NULL with too few repetitions. -#}
{% macro interval(ratio, log_variance, name) -%}
    case
        when derived.energy_interval_reason is null then {{ ratio_bound(ratio, log_variance, 'derived.t', '-') }}
    end as {{ name }}_low,
    case
        when derived.energy_interval_reason is null then {{ ratio_bound(ratio, log_variance, 'derived.t', '+') }}
    end as {{ name }}_high
{%- endmacro %}
