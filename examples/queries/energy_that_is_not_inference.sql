-- What share of an evaluation's energy is not inference, and where does it go?
select
    model_id,
    suite,
    1 - inference_share as not_inference_share,
    idle_share,
    load_share,
    warmup_share,
    scoring_share
from marts.mart_model_efficiency
where basis = 'measured' and is_current
order by not_inference_share desc nulls last
