"""Publishing: versions, the switch, what is refused, and that readers never notice."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from orchestration.home import Home
from orchestration.warehouse import publication
from orchestration.warehouse.publication import publish
from orchestration.warehouse.published import NothingPublished
from orchestration.warehouse.versions import PublicationRefused
from tests.support.small_marts import build_marts

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "it's a home")
    home.path.mkdir()
    build_marts(home, 1)
    return home


def _published(home: Home) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(home.marts, read_only=True)


def test_publishes_marts_with_constraints_and_comments_and_nothing_else(home: Home) -> None:
    done = publish(home, checks={"passed": 7, "warned": 1, "failed": 0}, git_sha="abc")
    assert publication.current(home) == done.path
    assert done.row_counts == {"mart_a": 3, "mart_b": 3}
    with _published(home) as connection:
        assert connection.sql("select sum(value) from marts.mart_a").fetchall() == [(3,)]
        tables = connection.sql("select table_name, comment from duckdb_tables() order by 1").fetchall()
        assert tables == [
            ("mart_a", "it's a mart; drop table marts.mart_a"),
            ("mart_b", "it's a mart; drop table marts.mart_b"),
            ("publication", "One row: which build this file is."),
        ]
        column = connection.sql(
            "select is_nullable, comment from duckdb_columns() where table_name = 'mart_a' and column_name = 'value'"
        )
        assert column.fetchall() == [(False, "kWh × 2")]
        row = connection.sql("select build_id, git_sha, row_counts, checks from marts.publication").fetchall()
        assert row == [(done.build_id, "abc", done.row_counts, {"passed": 7, "warned": 1, "failed": 0})]
        parquet = connection.execute("select * from read_parquet(?)", [str(done.path / "parquet/mart_a.parquet")])
        assert parquet.fetchall() == [(1, "x")] * 3
    assert all(b"a secret answer" not in path.read_bytes() for path in done.path.rglob("*") if path.is_file())


def test_published_files_and_folders_are_read_only(home: Home) -> None:
    done = publish(home)
    for path in (done.path, *done.path.rglob("*")):
        assert not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH), path


def test_only_the_newest_versions_stay_and_the_current_one_always(home: Home) -> None:
    builds = [publish(home, keep=2).build_id for _ in range(4)]
    versions = home.published / "versions"
    assert sorted(p.name for p in versions.iterdir()) == builds[2:]
    publish(home, keep=0)
    (only,) = versions.iterdir()
    assert publication.current(home) == only


def test_an_open_reader_keeps_its_version(home: Home) -> None:
    publish(home)
    with _published(home) as reader:
        build_marts(home, 2)
        publish(home, keep=1)
        assert reader.sql("select distinct value from marts.mart_a").fetchall() == [(1,)]
    with _published(home) as reader:
        assert reader.sql("select distinct value from marts.mart_a").fetchall() == [(2,)]


def test_nothing_is_published_yet(home: Home) -> None:
    with pytest.raises(NothingPublished, match="evalwatt run"):
        publication.current(home)


def _inode(home: Home, mart: str) -> int:
    return (home.current / "parquet" / f"{mart}.parquet").stat().st_ino


def test_what_did_not_change_is_taken_from_the_version_before(home: Home) -> None:
    publish(home)
    before = {mart: _inode(home, mart) for mart in ("mart_a", "mart_b")}
    with duckdb.connect(home.warehouse) as connection:
        connection.execute("update marts.mart_b set value = 5")
    publish(home, keep=1)
    assert _inode(home, "mart_a") == before["mart_a"]
    assert _inode(home, "mart_b") != before["mart_b"]
    with _published(home) as connection:
        assert connection.sql("select distinct a.value, b.value from mart_a a, mart_b b").fetchall() == [(1, 5)]
        assert connection.sql("select distinct value from marts.mart_a").fetchall() == [(1,)]


def test_a_mart_with_states_is_brought_up_to_date_state_by_state(home: Home) -> None:
    with duckdb.connect(home.warehouse) as connection:
        connection.execute(
            "create table marts.mart_c as select date '2030-01-01' + n::int as as_of, n from range(9) t(n)"
        )
    publish(home)
    with duckdb.connect(home.warehouse) as connection:
        connection.execute("update marts.mart_c set n = -1 where n = 4")
        connection.execute("delete from marts.mart_c where n = 7")
        connection.execute("insert into marts.mart_c values (null, 100), ('2030-01-01', 0)")
        built = connection.sql("from marts.mart_c order by all").fetchall()
    publish(home)
    with _published(home) as connection:
        assert connection.sql("from marts.mart_c order by all").fetchall() == built


def test_a_renamed_column_is_published_under_its_new_name(home: Home) -> None:
    with duckdb.connect(home.warehouse) as connection:
        connection.execute("delete from marts.mart_a")
    publish(home)
    with duckdb.connect(home.warehouse) as connection:
        for mart in ("mart_a", "mart_b"):
            connection.execute(f"alter table marts.{mart} rename column name to title")
    publish(home)
    with _published(home) as connection:
        for mart in ("mart_a", "mart_b"):
            parquet = connection.read_parquet(str(home.current / "parquet" / f"{mart}.parquet"))
            assert connection.table(mart).columns == parquet.columns == ["value", "title"]


def _edited(current: Path) -> None:
    with duckdb.connect(current / "marts.duckdb") as connection:
        connection.execute("update mart_a set value = 99; update mart_b set name = 'y'")


def _extended(current: Path) -> None:
    with duckdb.connect(current / "marts.duckdb") as connection:
        connection.execute("create table notes as select 1 as a; create view more_notes as from notes")


def _broken(current: Path) -> None:
    (current / "marts.duckdb").write_bytes(b"no database" * 1000)


def _without_parquet(current: Path) -> None:
    (current / "parquet" / "mart_a.parquet").unlink()


def _with_other_parquet(current: Path) -> None:
    (current / "parquet" / "mart_a.parquet").write_bytes(b"no parquet")


def _with_other_rows_in_parquet(current: Path) -> None:
    parquet = str(current / "parquet" / "mart_a.parquet")
    duckdb.sql("select 99::bigint as value, 'x' as name from range(3)").write_parquet(parquet)


@pytest.mark.parametrize(
    "damage", [_edited, _extended, _broken, _without_parquet, _with_other_parquet, _with_other_rows_in_parquet]
)
def test_what_somebody_did_to_the_version_before_is_not_taken_over(home: Home, damage: Callable[[Path], None]) -> None:
    current = publish(home).path
    for path in (current, *current.rglob("*")):
        path.chmod(0o755)
    damage(current)
    publish(home)
    with _published(home) as connection:
        for mart in ("mart_a", "mart_b"):
            assert connection.sql(f"from {mart}").fetchall() == [(1, "x")] * 3
            parquet = str(home.current / "parquet" / f"{mart}.parquet")
            assert connection.execute("from read_parquet(?)", [parquet]).fetchall() == [(1, "x")] * 3
        objects = (
            "select table_name from duckdb_tables() union all select view_name from duckdb_views() where not internal"
        )
        assert sorted(connection.sql(objects).fetchall()) == [("mart_a",), ("mart_b",), ("publication",)]


def _no_warehouse(home: Home) -> None:
    home.warehouse.unlink()


def _no_marts(home: Home) -> None:
    with duckdb.connect(home.warehouse) as connection:
        connection.execute("drop schema marts cascade")


def _garbage(home: Home) -> None:
    home.warehouse.write_bytes(b"no database" * 1000)


@pytest.mark.parametrize("spoil", [_no_warehouse, _no_marts, _garbage])
def test_a_build_file_that_is_not_whole_is_refused_and_the_old_version_stays(
    home: Home, spoil: Callable[[Home], None]
) -> None:
    before = publish(home)
    spoil(home)
    with pytest.raises(PublicationRefused):
        publish(home)
    assert publication.current(home) == before.path
    assert [p.name for p in (home.published / "versions").iterdir()] == [before.build_id]


def test_failed_checks_are_refused(home: Home) -> None:
    with pytest.raises(PublicationRefused, match="2 checks failed"):
        publish(home, checks={"passed": 7, "failed": 2})
    assert not home.current.exists()


def test_a_build_file_in_use_is_refused(home: Home) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, home.warehouse],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(PublicationRefused, match="open in another process"):
            publish(home)
    finally:
        holder.communicate(b"\n")
