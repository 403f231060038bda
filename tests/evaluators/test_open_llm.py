"""States of the leaderboard: taken whole, row by row, or not at all; once; from every format alike."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import gzip
import json
import math
import multiprocessing
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluators import durable
from evaluators.landing import bundles, lifecycle
from evaluators.landing.runs import runs_by_workload
from evaluators.leaderboards import StateRejected, formats
from evaluators.leaderboards.open_llm import examine
from evaluators.leaderboards.open_llm_columns import FIELDS, OPTIONAL, TYPES
from evaluators.leaderboards.states import Imported, import_state
from tests.support import states
from tests.support.states import ARRIVING, DAY, row, table

ROWS = [row("b/model"), row("a/model", params_b=-1.0, emissions_published_kg=-1.0), row("c/model", hub_license="mit")]
Change = Callable[[pa.Table], pa.Table]


def bring(home: Path, path: Path, day: date = DAY) -> Imported:
    return import_state(lambda: formats.read(path), day, path.name, home / "landing", home / "quarantine")


def bring_table(home: Path, raw: pa.Table, day: date = DAY) -> Imported:
    return import_state(lambda: raw, day, "made.parquet", home / "landing", home / "quarantine")


def retype(name: str, type_: pa.DataType) -> Change:
    return lambda raw: raw.set_column(
        raw.column_names.index(name), name, pa.array(raw[name].to_pylist()).cast(type_, safe=False)
    )


def change_values(name: str, values: list[Any]) -> Change:
    return lambda raw: raw.set_column(raw.column_names.index(name), name, pa.array(values))


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("contents_2025-01-09.parquet", DAY),
        ("2025-01-09.csv", DAY),
        ("state-of-2025-01-09-again-2025-01-09.jsonl", DAY),
        ("contents.parquet", None),
        ("2025-01-09_2025-01-10.csv", None),
        ("2025-13-45.csv", None),
        ("12025-01-09.csv", None),
    ],
)
def test_the_date_in_a_name(name: str, day: date | None) -> None:
    assert formats.date_in_name(Path("2020-02-02") / name) == day


def test_a_state_is_landed_as_it_is(tmp_path: Path) -> None:
    imported = bring(tmp_path, states.save(tmp_path, ROWS))
    assert (imported.new, imported.rows, imported.quarantined_rows, imported.quarantine) == (True, 3, 0, None)
    assert states.landed(tmp_path / "landing") == states.as_records(ROWS, "contents_2025-01-09.parquet")
    assert not (tmp_path / "quarantine").exists()


def test_the_html_column_is_kept_where_it_is_there(tmp_path: Path) -> None:
    bring(tmp_path, states.save(tmp_path, [row(model_html="<a href='x'>a/model</a>")]))
    assert states.landed(tmp_path / "landing")[0]["model_html"] == "<a href='x'>a/model</a>"


def test_runs_are_not_disturbed_by_states(tmp_path: Path) -> None:
    bring(tmp_path, states.save(tmp_path, ROWS))
    root = tmp_path / "landing"
    assert lifecycle.close_abandoned(root) == []
    assert not runs_by_workload(root)
    assert bundles.task_evaluations(root) == {}
    assert [bundle.name for bundle in bundles.bundles(root)] == [bundles.STATE_BUNDLE]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda raw: raw.drop_columns(["MoE"]), "column 'MoE' is missing"),
        (lambda raw: raw.drop_columns(["CO₂ cost (kg)", "BBH"]), "column 'CO₂ cost (kg)' is missing; column 'BBH' is"),
        (lambda raw: raw.rename_columns({"Type": "Kind"}), "column 'Type' is missing; column 'Kind' is not known"),
        (lambda raw: raw.append_column("extra", pa.nulls(3)), "column 'extra' is not known"),
        (lambda raw: raw.append_column("MoE", raw["MoE"]), "column 'MoE' appears 2 times"),
        (retype("BBH", pa.string()), "column 'BBH' is string, must be floating-point numbers"),
        (retype("BBH", pa.bool_()), "column 'BBH' is bool, must be floating-point numbers"),
        (change_values("Hub ❤️", [1.0, 2.5, None]), "column 'Hub ❤️' is double, must be whole numbers"),
        (change_values("MoE", [0, 1, 2]), "column 'MoE' is int64, must be true or false"),
        (change_values("MoE", ["yes", "no", None]), "column 'MoE' is string"),
        (change_values("Submission Date", [datetime(2024, 6, 26, 13)] * 3), "is timestamp[us], must be dates"),
        (
            change_values("Submission Date", ["09/01/2025", "31/01/2025", "2025-01-31"]),
            "wrong in 2 of 3 rows, as in '09/",
        ),
        (retype("Generation", pa.string()), "column 'Generation' is string, must be whole numbers"),
        (retype("fullname", pa.binary()), "column 'fullname' is binary, must be text"),
        (lambda raw: raw.slice(0, 0), "has no rows"),
        (lambda raw: raw.set_column(0, "eval_name", pa.nulls(3)), "none of its 3 rows can be kept"),
    ],
)
def test_a_wrong_table_is_rejected_by_name(tmp_path: Path, change: Change, reason: str) -> None:
    with pytest.raises(StateRejected) as rejected:
        bring_table(tmp_path, change(table(ROWS)))
    assert str(rejected.value).startswith("made.parquet: ")
    assert reason in str(rejected.value)
    assert not (tmp_path / "landing").exists()


@pytest.mark.parametrize(
    "change",
    [
        retype("BBH", pa.float32()),
        retype("Hub ❤️", pa.int16()),
        retype("fullname", pa.large_string()),
        retype("fullname", pa.dictionary(pa.int8(), pa.large_string())),
        retype("fullname", pa.string_view()),
        lambda raw: raw.set_column(raw.column_names.index("Hub License"), "Hub License", pa.nulls(3)),
        lambda raw: raw.set_column(raw.column_names.index("Submission Date"), "Submission Date", pa.nulls(3)),
        lambda raw: raw.select(raw.column_names[::-1]),
        retype("Upload To Hub Date", pa.date32()),
    ],
)
def test_a_family_of_types_is_one_type(tmp_path: Path, change: Change) -> None:
    raw = change(table(ROWS))
    bring_table(tmp_path, raw)
    found = {record["eval_name"]: record for record in states.landed(tmp_path / "landing")}
    for given_row in raw.to_pylist():
        record = found[given_row["eval_name"]]
        dates = {"upload_to_hub_date", "submission_date"}
        assert all(record[f] == given_row[c] for c, f in FIELDS.items() if c not in OPTIONAL and f not in dates)
        assert record["upload_to_hub_date"] == date(2024, 6, 12)


def test_whole_numbers_with_gaps_as_pandas_writes_them(tmp_path: Path) -> None:
    frame = table([row("a/x", hub_likes=None), row("b/x", hub_likes=7)]).to_pandas()
    assert frame["Hub ❤️"].dtype == "float64"
    frame.to_parquet(tmp_path / "contents_2025-01-09.parquet")
    bring(tmp_path, tmp_path / "contents_2025-01-09.parquet")
    assert [record["hub_likes"] for record in states.landed(tmp_path / "landing")] == [None, 7]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"eval_name": None}, "eval_name is None"),
        ({"eval_name": " "}, "eval_name is ' ', must be a name"),
        ({"fullname": None}, "fullname is None, must be a name"),
        ({"fullname": "evil\nname"}, r"fullname is 'evil\nname', must be a name without control characters"),
        ({"fullname": "tab\tname"}, "without control characters"),
        ({"emissions_published_kg": float("nan")}, "CO₂ cost (kg) is nan, must be a finite number"),
        ({"average": float("inf")}, "Average ⬆️ is inf, must be a finite number"),
        ({"emissions_published_kg": -0.5}, "CO₂ cost (kg) is -0.5, must be from 0"),
        ({"bbh": 100.5}, "BBH is 100.5, must be from 0 to 100"),
        ({"musr_raw": -0.1}, "MUSR Raw is -0.1, must be from 0 to 1"),
        ({"params_b": 1e6}, "#Params (B) is 1000000.0, must be"),
        ({"hub_likes": -1}, "Hub ❤️ is -1, must be from 0"),
        ({"generation": 2**53 + 1}, "Generation is 9007199254740993, must be from 0"),
        ({"upload_to_hub_date": "yesterday"}, "Upload To Hub Date is 'yesterday', must be a date"),
        ({"submission_date": "2024-02-30"}, "Submission Date is '2024-02-30', must be a date"),
        ({"submission_date": "20240202"}, "must be a date such as"),
    ],
)
def test_a_wrong_row_is_set_aside_with_its_reason(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    imported = bring(tmp_path, states.save(tmp_path, [*ROWS, row("d/wrong", **changes)]))
    assert (imported.rows, imported.quarantined_rows) == (3, 1)
    assert states.landed(tmp_path / "landing") == states.as_records(ROWS, "contents_2025-01-09.parquet")
    assert imported.quarantine is not None
    assert imported.quarantine.parent == tmp_path / "quarantine" / "leaderboard"
    (refusal,) = json.loads((imported.quarantine / "reason.json").read_text())["rows"]
    assert reason in refusal["reason"]
    assert refusal["row"] == 4
    kept = pq.read_table(imported.quarantine / "rows.parquet").to_pylist()
    assert repr(kept) == repr([row("d/wrong", **changes)])


def test_copies_and_contradictions(tmp_path: Path) -> None:
    rows = [row("a/twice"), row("b/one"), row("a/twice"), row("c/argued"), row("c/argued", bbh=1.0)]
    imported = bring(tmp_path, states.save(tmp_path, rows))
    assert [record["fullname"] for record in states.landed(tmp_path / "landing")] == ["a/twice", "b/one"]
    assert imported.quarantine is not None
    refusals = json.loads((imported.quarantine / "reason.json").read_text())["rows"]
    assert [refusal["row"] for refusal in refusals] == [3, 4, 5]
    assert "a copy of another row" in refusals[0]["reason"]
    assert all("2 rows claim 'c_argued_bfloat16_True'" in refusal["reason"] for refusal in refusals[1:])


def test_the_same_state_again_changes_nothing(tmp_path: Path) -> None:
    rows = [*ROWS, row("d/wrong", bbh=200.0)]
    first = bring(tmp_path, states.save(tmp_path, rows))
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    again = bring(tmp_path, states.save(tmp_path, rows))
    assert (first.new, again.new) == (True, False)
    assert (first.sha256, first.quarantine) == (again.sha256, again.quarantine)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == before


def test_another_state_of_the_same_day_is_an_error_with_both_hashes(tmp_path: Path) -> None:
    first = bring(tmp_path, states.save(tmp_path, ROWS))
    other = [*ROWS[:2], row("c/model", hub_license="mit", bbh=31.3)]
    with pytest.raises(StateRejected) as rejected:
        bring(tmp_path, states.save(tmp_path / "other", other))
    elsewhere = bring(tmp_path, states.save(tmp_path / "other", other), date(2025, 1, 10))
    assert first.sha256 in str(rejected.value)
    assert elsewhere.sha256 in str(rejected.value)
    assert "--date" in str(rejected.value)
    assert len(states.landed(tmp_path / "landing")) == 3


def test_a_damaged_landed_state_is_not_taken_for_the_same(tmp_path: Path) -> None:
    path = states.save(tmp_path, ROWS)
    bring(tmp_path, path)
    (file,) = (tmp_path / "landing").rglob("*.parquet")
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(StateRejected, match=r"is damaged .*; move .* away and import again"):
        bring(tmp_path, path)


def test_what_a_killed_import_left_is_swept(tmp_path: Path) -> None:
    left = tmp_path / "landing" / bundles.state_directory(DAY) / f"{durable.TEMPORARY}x"
    left.mkdir(parents=True)
    assert bring(tmp_path, states.save(tmp_path, ROWS)).new
    assert not left.exists()


def _import_in_process(home: Path, path: Path, barrier: Any, answers: Any) -> None:
    barrier.wait()
    answers.put(bring(home, path).new)


def test_of_several_importers_at_once_one_lands_the_state(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    path, barrier, answers = states.save(tmp_path, ROWS), context.Barrier(4), context.Queue()
    arguments = (tmp_path, path, barrier, answers)
    processes = [context.Process(target=_import_in_process, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    found = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    assert sorted(found) == [False, False, False, True]
    assert len(states.landed(tmp_path / "landing")) == 3


ODD = [row('q"uo,te/🤗 ❤️ naïve', hub_license=""), row("a/b", base_model="two\nlines"), row("c'd/*[x]", params_b=0.1)]


def write_csv(path: Path, raw: pa.Table) -> None:
    pyarrow.csv.write_csv(raw, path)


def write_python_csv(path: Path, raw: pa.Table) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, raw.column_names)
        writer.writeheader()
        writer.writerows(raw.to_pylist())


def write_pandas_csv(path: Path, raw: pa.Table) -> None:
    raw.to_pandas().to_csv(path, index=False)


def write_json_lines(path: Path, raw: pa.Table) -> None:
    states.save_json_lines(path, raw.to_pylist())


@pytest.mark.parametrize(
    ("suffix", "write", "rows"),
    [
        (".csv", write_csv, [*ROWS, *ODD]),
        (".csv", write_python_csv, ROWS),
        (".csv", write_pandas_csv, [*ROWS, row("z/gap", hub_likes=None)]),
        (".jsonl", write_json_lines, [*ROWS, *ODD]),
        (".ndjson", write_json_lines, [row("z/whole", bbh=30, average=20)]),
    ],
)
def test_every_format_is_the_same_state(
    tmp_path: Path, suffix: str, write: Callable[[Path, pa.Table], None], rows: list[dict[str, Any]]
) -> None:
    first = bring(tmp_path, states.save(tmp_path, rows))
    path = tmp_path / f"other{suffix}"
    write(path, pq.read_table(tmp_path / "contents_2025-01-09.parquet"))
    again = bring(tmp_path, path)
    assert not again.new
    assert again.sha256 == first.sha256


def with_times(frame: pandas.DataFrame) -> pandas.DataFrame:
    return frame.assign(**{name: pandas.to_datetime(frame[name]) for name in ("Upload To Hub Date", "Submission Date")})


def with_truths(frame: pandas.DataFrame, kind: str) -> pandas.DataFrame:
    return frame.astype({name: kind for name in frame if TYPES[name] == pa.bool_()})


def with_other_numbers(frame: pandas.DataFrame) -> pandas.DataFrame:
    return frame.astype({"Hub ❤️": float, "Generation": float, "#Params (B)": "int64"})


Written = Callable[[pandas.DataFrame, Path], object]
# As pandas, spreadsheets and others write a state whose meaning is certain all the same.
WAYS: dict[str, Written] = {
    "index.csv": lambda frame, path: frame.to_csv(path),
    "index twice.csv": lambda frame, path: frame.reset_index(names="Unnamed: 0").to_csv(path),
    "shuffled.parquet": lambda frame, path: frame.iloc[::-1].to_parquet(path, index=True),
    "named index.parquet": lambda frame, path: frame.set_index("eval_name").to_parquet(path),
    "times.parquet": lambda frame, path: with_times(frame).to_parquet(path),
    "times.csv": lambda frame, path: with_times(frame).to_csv(path, index=False, date_format="%Y-%m-%d %H:%M:%S"),
    "times.jsonl": lambda frame, path: with_times(frame).to_json(path, orient="records", lines=True, date_format="iso"),
    "truths as numbers.parquet": lambda frame, path: with_truths(frame, "int8").to_parquet(path),
    "truths as numbers.csv": lambda frame, path: with_truths(frame, "int8").to_csv(path, index=False),
    "truths as words.parquet": lambda frame, path: with_truths(frame, "str").to_parquet(path),
    "other numbers.parquet": lambda frame, path: with_other_numbers(frame).to_parquet(path),
    "other numbers.csv": lambda frame, path: with_other_numbers(frame).to_csv(path, index=False),
    "nullable.parquet": lambda frame, path: frame.convert_dtypes().to_parquet(path),
    "gaps as NaN.csv": lambda frame, path: frame.to_csv(path, index=False, na_rep="NaN"),
    "quoted.csv": lambda frame, path: frame.to_csv(path, index=False, quoting=csv.QUOTE_ALL),
    "German Excel.csv": lambda frame, path: frame.to_csv(
        path, index=False, sep=";", decimal=",", encoding="utf-8-sig", lineterminator="\r\n"
    ),
    "semicolons.csv": lambda frame, path: frame.to_csv(path, index=False, sep=";"),
    "Unicode text of Excel.csv": lambda frame, path: frame.to_csv(path, index=False, sep="\t", encoding="utf-16"),
    "tabs.tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "packed.csv.gz": lambda frame, path: frame.to_csv(path, index=False),
    "no last line break.csv": lambda frame, path: path.write_text(
        frame.to_csv(index=False, quoting=csv.QUOTE_ALL).rstrip("\n")
    ),
    "ends in a truth.csv": lambda frame, path: path.write_text(
        frame[[*frame.columns.drop("MoE"), "MoE"]].to_csv(index=False).rstrip("\n")
    ),
    "array.json": lambda frame, path: frame.to_json(path, orient="records"),
    "indented.json": lambda frame, path: frame.to_json(path, orient="records", indent=2),
    "other order.jsonl": lambda frame, path: frame[frame.columns[::-1]].to_json(path, orient="records", lines=True),
}


@pytest.mark.parametrize("name", WAYS)
def test_a_state_is_the_same_however_a_tool_writes_it(tmp_path: Path, name: str) -> None:
    rows = [
        row("a/one", params_b=7.0),
        row("b/two", params_b=8.0, bbh=30.0),
        row("c/three", params_b=3.0, hub_license=""),
    ]
    first = bring(tmp_path, states.save(tmp_path, rows))
    path = tmp_path / name
    WAYS[name](table(rows).to_pandas(), path)
    assert bring(tmp_path, path) == dataclasses.replace(first, source=name, new=False)


@pytest.mark.skipif(not states.REAL, reason=states.NO_REAL_STATES)
@pytest.mark.parametrize(
    "name", [name for name in WAYS if not name.startswith(("other numbers", "truths as", "nullable"))]
)
def test_a_real_state_is_the_same_however_a_tool_writes_it(tmp_path: Path, name: str) -> None:
    real = pq.read_table(states.REAL[6]).slice(0, 400)
    pq.write_table(real, tmp_path / "real.parquet")
    bring(tmp_path, tmp_path / "real.parquet")
    WAYS[name](real.to_pandas(), tmp_path / name)
    bring(tmp_path, tmp_path / name, date(2025, 1, 10))
    for was, found in zip(*(states.landed(tmp_path / "landing", date(2025, 1, day)) for day in (9, 10)), strict=True):
        facts = {"snapshot_date", "source"}
        # pandas rounds to ten digits when it writes JSON
        near = {
            key: pytest.approx(v, abs=1e-9) if isinstance(v, float) else v for key, v in was.items() if key not in facts
        }
        assert {key: value for key, value in found.items() if key not in facts} == near


def edited(change: Callable[[str], str], **options: Any) -> Written:
    return lambda frame, path: path.write_text(change(frame.to_csv(index=False, **options)))


@pytest.mark.parametrize(
    ("name", "write", "reason"),
    [
        ("a.csv", edited(lambda text: text.rstrip("\n")), "does not end with a line break: is it truncated?"),
        (  # cut behind a quote in the cell, which is doubled
            "a.csv",
            edited(lambda text: text.rstrip("\n")[:-1] + '""', quoting=csv.QUOTE_ALL),
            "does not end with a line break: is it truncated?",
        ),
        ("a.csv", edited(lambda text: text.partition("\n")[0] + "\n" + text), "'Average ⬆️' as a scalar of type double"),
        ("a.csv", edited(lambda text: "The leaderboard\n" + text), "cannot be read as .csv"),
        ("a.csv", edited(lambda text: text.replace(",3,", ',"3,000",')), "'3,000' as a scalar of type int64"),
        ("a.csv", edited(lambda text: text.replace(",3,", ",3.000,")), "'3.000' as a scalar of type int64"),
        ("a.csv", edited(lambda text: text.replace("31.2", "31.2%")), "'31.2%' as a scalar of type double"),
        ("a.csv", edited(lambda text: text.replace("31.2", "31,2"), sep=";"), "with commas and with points"),
        (
            "a.csv",
            lambda frame, path: frame.assign(**{name: "1,234" for name in frame if TYPES[name] == pa.float64()}).to_csv(
                path, sep=";", index=False
            ),
            "has ambiguous numbers such as 1,234",
        ),
        (
            "a.csv",
            edited(lambda text: text.replace("2024-06-26", "06/26/2024")),
            "'06/26/2024', must be a date such as 2025-01-31",
        ),
        ("a.csv", lambda frame, path: path.write_bytes(b"caf\xe9;1\n"), "is not UTF-8 (byte 3); save it as UTF-8"),
        ("a.csv.gz", lambda frame, path: path.write_bytes(gzip.compress(b"a,b\n")[:-9]), "is it truncated?"),
        ("a.xlsx", lambda frame, path: path.write_bytes(b"PK"), "is a workbook; save its sheet as CSV UTF-8"),
        ("a.json", lambda frame, path: frame.to_json(path), "is JSON by columns; write rows"),
        ("a.json", lambda frame, path: frame.to_json(path, orient="table"), "is JSON by columns; write rows"),
        (
            "a.csv",
            lambda frame, path: frame.assign(index=[1, 1, 2]).to_csv(path, index=False),
            "column 'index' is not known",
        ),
        ("a.parquet", lambda frame, path: frame.astype("str").to_parquet(path), "must be floating-point numbers"),
    ],
)
def test_what_may_mean_two_things_is_rejected_with_a_remedy(
    tmp_path: Path, name: str, write: Written, reason: str
) -> None:
    write(table([row("a/one"), row("b/two"), row("c/three")]).to_pandas(), tmp_path / name)
    with pytest.raises(StateRejected) as rejected:
        bring(tmp_path, tmp_path / name)
    assert reason in str(rejected.value)
    assert not (tmp_path / "landing").exists()


def test_numbers_of_json_may_be_whole(tmp_path: Path) -> None:
    bring(tmp_path, states.save_json_lines(tmp_path / "a.jsonl", [row("z/whole", bbh=30, average=20.5, params_b=7)]))
    (record,) = states.landed(tmp_path / "landing")
    assert (record["bbh"], record["params_b"]) == (30.0, 7.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"BBH": "much"}, "column 'BBH' holds fractions and text"),
        ({"fullname": 5}, "column 'fullname' holds text and whole numbers"),
        ({"MoE": {"a": 1}}, "column 'MoE' holds objects and true or false"),
        ({"Hub ❤️": 10**30}, "column 'Hub ❤️'"),
        ({"Hub ❤️": 1.5}, "column 'Hub ❤️' is double, must be whole numbers"),
        ({"fullname": "\ud800"}, "column 'fullname'"),
        ({"new": 1}, "column 'new' is missing in some lines; column 'new' is not known"),
    ],
)
def test_json_that_no_column_can_hold(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    path = states.save_json_lines(tmp_path / "a.jsonl", [row("a/model"), {**row("b/model"), **change}])
    with pytest.raises(StateRejected) as rejected:
        bring(tmp_path, path)
    assert reason in str(rejected.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("31.2", "31,2 "), "cannot be read"),
        (("31.2", "31.x"), "31.x"),
        ((",true,", ",ja,"), "column 'Available on the hub' is string"),
        ((",3,", ",3.5,"), "'3.5' as a scalar of type int64), must be whole numbers"),
    ],
)
def test_a_cell_that_cannot_be_read_rejects_the_file(tmp_path: Path, change: tuple[str, str], reason: str) -> None:
    path = tmp_path / "a.csv"
    write_csv(path, table(ROWS))
    head, _, tail = path.read_text().partition("\n")
    path.write_text(f"{head}\n{tail.replace(*change, 1)}")
    with pytest.raises(StateRejected) as rejected:
        bring(tmp_path, path)
    assert reason in str(rejected.value)
    assert not (tmp_path / "landing").exists()


@pytest.mark.parametrize("suffix", list(formats.FORMATS))
@pytest.mark.parametrize("part", [0, 0.2, 0.9, 1], ids=["empty", "start", "most", "all but the end"])
def test_a_truncated_file_is_rejected_by_name(tmp_path: Path, suffix: str, part: float) -> None:
    whole = tmp_path / f"whole{suffix}"
    write = {".parquet": lambda path, raw: pq.write_table(raw, path), ".csv": write_csv}.get(suffix, write_json_lines)
    write(whole, table(ROWS))
    content = whole.read_bytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(content[: min(int(part * len(content)), len(content) - 2)])
    with pytest.raises(StateRejected, match=f"^cut{suffix}: "):
        bring(tmp_path, path)
    assert not (tmp_path / "landing").exists()


@pytest.mark.parametrize("suffix", list(formats.FORMATS))
@pytest.mark.parametrize("content", [b"<html>404</html>\n", b"\x00\xff\xfe" * 50 + b"\n", b"[1]\n", b'"\n', b"{}\n"])
def test_another_kind_of_file_is_rejected_by_name(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"other{suffix}"
    path.write_bytes(content)
    with pytest.raises(StateRejected, match=f"^other{suffix}: "):
        bring(tmp_path, path)


def test_a_flipped_byte_in_parquet_is_no_silent_row(tmp_path: Path) -> None:
    """Parquet has no checksum here, so a flip may pass; but no row may vanish by it."""
    path = states.save(tmp_path, ROWS)
    content = path.read_bytes()
    for position in range(4, len(content), 97):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :])
        try:
            state = examine(formats.read(path), DAY, path.name)
        except StateRejected:
            continue
        assert state.rows.num_rows + len(state.refusals) == pq.read_metadata(path).num_rows


def test_other_ends_are_no_states(tmp_path: Path) -> None:
    (tmp_path / "a.feather").write_bytes(b"x")
    with pytest.raises(StateRejected, match=r"a\.feather: has an unknown format; .*\.parquet"):
        bring(tmp_path, tmp_path / "a.feather")


@pytest.mark.skipif(not states.REAL, reason=states.NO_REAL_STATES)
@pytest.mark.parametrize("path", sorted({*states.REAL[:1], *states.REAL[-1:]}), ids=lambda path: path.stem)
def test_real_states_are_landed_whole(tmp_path: Path, path: Path) -> None:
    day = formats.date_in_name(path)
    assert day is not None
    imported = bring(tmp_path, path, day)
    raw = pq.read_table(path).to_pylist()
    assert (imported.rows, imported.quarantined_rows) == (len(raw), 0)
    assert states.landed(tmp_path / "landing", day) == states.as_records(raw, path.name, day)


@pytest.mark.skipif(not states.REAL, reason=states.NO_REAL_STATES)
def test_a_real_state_through_csv_and_json(tmp_path: Path) -> None:
    raw = pq.read_table(states.REAL[0])
    first = bring_table(tmp_path, raw)
    for name, write in (("a.csv", write_pandas_csv), ("b.csv", write_csv), ("c.jsonl", write_json_lines)):
        write(tmp_path / name, raw)
        assert bring(tmp_path, tmp_path / name).sha256 == first.sha256


# Fuzzing: whatever arrives is rejected by name, set aside with a reason, or landed and read back exactly.

_texts = st.none() | st.text(max_size=8) | st.sampled_from(["🤗/'\"", "a\nb", "", "../x", "x,trust=True", "Ünïcode"])
_numbers = st.none() | st.floats(width=64) | st.sampled_from([-1.0, 0.0, -0.0, 1.0, 100.0, 1e300])
_dates = st.none() | st.sampled_from(["2024-06-12", "2024-02-30", "", "soon", "0001-01-01"])


def _values(name: str) -> st.SearchStrategy[Any]:
    arriving = ARRIVING[name]
    if name.endswith("Date"):
        return _dates
    if arriving == pa.float64():
        return _numbers
    if arriving == pa.int64():
        return st.none() | st.integers(-(2**63), 2**63 - 1)
    return st.none() | st.booleans() if arriving == pa.bool_() else _texts


@st.composite
def _rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    rows = [row(f"m/{number}") for number in range(draw(st.integers(1, 4)))]
    for _ in range(draw(st.integers(0, 4))):
        name = draw(st.sampled_from([name for name in FIELDS if name not in OPTIONAL]))
        draw(st.sampled_from(rows))[name] = draw(_values(name))
    copies = draw(st.lists(st.sampled_from(rows), max_size=2))
    return draw(st.permutations([dict(found) for found in [*rows, *copies]]))


def _is_right(found: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    """The rules again, in plain words and without Arrow."""
    numbers = {name: value for name, value in found.items() if isinstance(value, float)}
    scores = {name: v for name, v in numbers.items() if name == "Average ⬆️" or f"{name} Raw" in FIELDS}
    names = [found["eval_name"], found["fullname"]]
    twins = [other for other in rows if other["eval_name"] == found["eval_name"]]
    return (
        all(name is not None and name.strip(" \t\n\r\f\v") for name in names)
        and not any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029" for name in names for c in name)
        and all(map(math.isfinite, numbers.values()))
        and all(0 <= value <= 100 for value in scores.values())
        and all(0 <= value <= 1 for name, value in numbers.items() if name.endswith(" Raw"))
        and (numbers.get("#Params (B)", 0) <= 100_000)
        and (numbers.get("CO₂ cost (kg)", 0) >= 0 or numbers["CO₂ cost (kg)"] == -1)
        and all(0 <= (found[name] or 0) <= 1_000_000_000 for name in ("Hub ❤️", "Generation"))
        and all(found[name] in (None, "2024-06-12", "2024-06-26", "0001-01-01") for name in found if "Date" in name)
        and all(twin == found for twin in twins)
    )


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_rows(), as_json=st.booleans())
def test_no_wrong_row_enters_and_no_right_one_is_lost(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], as_json: bool
) -> None:
    home = tmp_path_factory.mktemp("home")
    right = [found for found in rows if _is_right(found, rows)]
    right = [found for number, found in enumerate(right) if found not in right[:number]]
    path = home / "a.jsonl"
    if as_json:
        states.save_json_lines(path, rows)
    raw = formats.read(path) if as_json else table(rows)
    if not right:
        with pytest.raises(StateRejected, match="rows can be kept"):
            bring_table(home, raw)
        return
    if 2 * sum(_is_right(found, rows) for found in rows) < len(rows):  # perhaps all in the same column
        with contextlib.suppress(StateRejected):
            bring_table(home, raw)
        return
    imported = bring_table(home, raw)
    assert states.landed(home / "landing") == states.as_records(right, "made.parquet")
    assert imported.rows + imported.quarantined_rows == len(rows)
    if imported.quarantine is not None:
        refusals = json.loads((imported.quarantine / "reason.json").read_text())["rows"]
        assert len(refusals) == imported.quarantined_rows
        assert all(refusal["reason"] for refusal in refusals)


@settings(max_examples=40, deadline=None)
@given(
    dropped=st.sets(st.sampled_from(sorted(FIELDS)), max_size=2),
    renamed=st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text(min_size=1, max_size=5), max_size=2),
    retyped=st.sets(st.sampled_from(sorted(FIELDS)), max_size=2),
    added=st.sets(st.text(min_size=1, max_size=5).filter(lambda name: name not in FIELDS), max_size=2),
)
def test_every_wrong_column_is_named(
    dropped: set[str], renamed: dict[str, str], retyped: set[str], added: set[str]
) -> None:
    names: list[str] = []
    columns: list[pa.Array] = []
    wrong = {repr(name) for name in dropped - OPTIONAL}
    for name in FIELDS:
        if name in dropped or name in OPTIONAL:
            continue
        column = table([row()])[name].combine_chunks()
        if name in retyped:
            column = pa.array([b"x"])
        if name in retyped or name in renamed:
            wrong.add(repr(name))
        if name in renamed:
            wrong.add(repr(renamed[name]))
        names.append(renamed.get(name, name))
        columns.append(column)
    for name in added:
        wrong.add(repr(name))
        names.append(name)
        columns.append(pa.array([1]))
    raw = pa.table(columns, names=names)
    if not wrong:
        assert examine(raw, DAY, "x").rows.num_rows == 1
        return
    with pytest.raises(StateRejected) as rejected:
        examine(raw, DAY, "x")
    for name in wrong:
        assert f"column {name}" in str(rejected.value)


def test_pandas_reads_what_is_set_aside(tmp_path: Path) -> None:
    imported = bring(tmp_path, states.save(tmp_path, [*ROWS, row("d/wrong", bbh=200.0)]))
    assert imported.quarantine is not None
    assert pandas.read_parquet(imported.quarantine / "rows.parquet")["BBH"].tolist() == [200.0]
