"""The report, after the publication: if it fails, the marts stay published."""

import dagster as dg

from orchestration.defs.publication import PUBLICATION
from orchestration.defs.resources import Paths, RefreshLock
from orchestration.home import MARTS_FILE
from orchestration.instance.names import OWNERS, WAREHOUSE_POOL
from orchestration.ui import evidence_tags
from orchestration.warehouse import publication as library


@dg.asset(
    deps=[PUBLICATION],
    group_name="publication",
    kinds={"html", "altair"},
    owners=OWNERS,
    tags=evidence_tags.BOTH,
    pool=WAREHOUSE_POOL,
)
def report(paths: Paths, refresh_lock: RefreshLock) -> dg.MaterializeResult:
    """`report/index.html`: one page on the published marts, with charts, tables and every query; works offline."""
    from orchestration import report as page  # importing Altair takes half a second, which other runs should not pay

    path = page.write(library.current(paths.home) / MARTS_FILE, paths.home.report)
    return dg.MaterializeResult(
        metadata={"page": dg.MetadataValue.url(path.as_uri()), "size_kb": round(path.stat().st_size / 1000)}
    )
