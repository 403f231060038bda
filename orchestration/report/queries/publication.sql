-- Which build this is.
select build_id, published_at, git_sha
from marts.publication
