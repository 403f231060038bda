"""`python -m benchmarks`: runs every comparison in turn; README.md in this folder has the last results."""

from __future__ import annotations

from benchmarks import leaderboard, neighbours, overhead, planning, report, score_equality, until
from benchmarks.engines import __main__ as engines

if __name__ == "__main__":
    score_equality.main([])
    overhead.main()
    neighbours.main()
    until.main()
    planning.main()
    leaderboard.main()
    report.main()
    engines.main([])
