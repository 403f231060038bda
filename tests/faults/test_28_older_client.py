"""28. An older supported DuckDB client opens the published file: works."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from orchestration.home import Home
from orchestration.warehouse.publication import publish

OLDER = "1.4"
READ = """
import json, sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    rows = connection.sql("select * from marts.mart_a").fetchall()
    comment = connection.sql("select comment from duckdb_columns() where table_name = 'mart_a'").fetchall()
    build = connection.sql("select build_id, checks['passed'] from marts.publication").fetchall()
    parquet = connection.execute("select * from read_parquet(?)", [sys.argv[2]]).fetchall()
print(json.dumps([duckdb.__version__, rows, comment, build, parquet], default=str))
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("client")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(
        [*pip, "--only-binary=:all:", "--no-compile", "--target", str(folder), f"duckdb=={OLDER}.*"],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"pip cannot have duckdb {OLDER} here: {done.stderr.strip().splitlines()[-1]}")
    return folder


def test_it_reads_what_is_published_twice(tmp_path: Path, client: Path) -> None:
    home = Home(tmp_path)
    for value in (1, 2):  # the second version is made from the first one's file
        with duckdb.connect(home.warehouse) as connection:
            connection.execute(
                "create schema if not exists marts; "
                "create or replace table marts.mart_a (id bigint not null, name varchar, made_at timestamptz, "
                "share double, as_of date, scores map(varchar, double), primary key (id)); "
                "comment on column marts.mart_a.id is 'which'"
            )
            connection.execute(
                "insert into marts.mart_a select i, 'model ' || i % 7, '2026-03-01 02:00:00+00', i / 3, '2026-03-01', "
                "map(['a'], [i]) from range(5000) t(i)"
            )
            connection.execute("update marts.mart_a set share = ? where id = 0", [value])
        done = publish(home, checks={"passed": 7})
    parquet = str(done.path / "parquet" / "mart_a.parquet")
    answer = subprocess.run(
        [sys.executable, "-c", READ, str(home.marts), parquet],
        env={"PYTHONPATH": str(client), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    version, rows, comments, build, from_parquet = json.loads(answer.stdout)
    assert version.startswith(OLDER)
    with duckdb.connect(home.marts, read_only=True) as connection:
        ours = json.loads(json.dumps(connection.sql("select * from marts.mart_a").fetchall(), default=str))
    assert len(rows) == 5000
    assert sorted(rows) == sorted(ours)
    assert sorted(from_parquet) == sorted(ours)
    assert ["which"] in comments
    assert build == [[done.build_id, 7]]
