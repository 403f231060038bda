-- Placeholders for which the claim has no threshold.
select
    claim_id,
    concat_ws(
        ' ',
        {{ with_thresholds('statement') }},
        {{ with_thresholds('definition') }},
        {{ with_thresholds('rule') }},
        {{ with_thresholds('n_a_counts') }},
        {{ with_thresholds('n_b_counts') }}
    ) as words
from {{ ref('study_claims') }}
where contains(words, '{')
