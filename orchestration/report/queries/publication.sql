-- Which build this is, and how many leaderboard states its per-run figures are based on.
select
    build_id,
    published_at,
    git_sha,
    (select count(distinct states.as_of) from marts.fct_leaderboard_evaluations as states) as leaderboard_states
from marts.publication
