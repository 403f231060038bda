-- The study, 6: are the bases of Qwen2 and Llama less efficient than their fine-tunes?
select claim_id, basis, as_of, verdict, effect, effect_low, effect_high, reason, confounders
from marts.mart_study_claims
where claim_id in ('g', 'h')
order by as_of desc, basis, claim_id
