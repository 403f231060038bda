"""The command line: answers, errors in one message, exit codes; `sql` reads what is published and nothing else."""

from __future__ import annotations

import ast
import csv
import importlib
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import duckdb
import pytest

from orchestration import cli
from orchestration.home import Home
from orchestration.warehouse.published import connect
from tests.support.landing_builder import BuiltRun, TaskOutcome
from tests.support.tiny import model_entry, save_catalogue, save_model, save_tasks

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def evalwatt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    for variable in ("EVALWATT_HOME", "EVALWATT_CATALOGUE", "EVALWATT_DEBUG"):
        monkeypatch.setenv(variable, "")  # so that what options set is taken back afterwards
        monkeypatch.delenv(variable)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["evalwatt", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capfd.readouterr()
        assert "Traceback" not in captured.err
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    save_tasks(tmp_path / "tasks", ("tiny_one",))
    return save_catalogue(tmp_path, tasks=["tiny_one"], models=[model_entry("tiny-base", "base")])


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A published version with one small mart."""
    version = tmp_path / "data/published/versions/b1"
    version.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{version / 'marts.duckdb'}' as built")
        connection.execute("create table built.numbers as select i, i / 4 as x, null as n from range(3) t(i)")
    (version.parent.parent / "current").symlink_to("versions/b1")
    return version


def test_help_explains_every_verb(evalwatt: Run) -> None:
    code, out, _ = evalwatt("--help")
    assert code == 0
    for verb in cli.VERBS:
        assert f"\n  {verb}" in out
        assert evalwatt(verb, "--help")[0] == 0


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_an_example_that_it_takes_and_json(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("EVALWATT_HOME", "EVALWATT_CATALOGUE"):
        monkeypatch.setenv(variable, "")  # options set them
    command = cli.cli.get_command(click.Context(cli.cli), verb)
    assert command is not None
    assert "--json" in {option for parameter in command.params for option in parameter.opts}
    text = command.get_help(click.Context(command, info_name=verb))
    (examples,) = re.findall(r"\n  Examples?:\n((?:    evalwatt .*\n)+)", text)
    for line in examples.strip().splitlines():
        program, named, *arguments = shlex.split(line.partition(" < ")[0])
        assert (program, named) == ("evalwatt", verb)
        command.make_context(verb, arguments)  # raises for what the verb does not take


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["evaluate", "tiny"], {"tiny-base"}),
        (["evaluate", "tiny-base", "--suite", ""], {"tiny"}),
        (["eval"], {"evaluate"}),
        (["export", "--format", "lm"], {"lm-eval"}),
    ],
)
def test_the_shell_completes(
    evalwatt: Run, catalogue: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], expected: set[str]
) -> None:
    monkeypatch.setenv("_EVALWATT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", shlex.join(["evalwatt", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    _, out, err = evalwatt()
    assert {line.partition(",")[2] for line in out.splitlines()} == expected
    assert err == ""


@pytest.mark.parametrize("verb", ["evaluate", "export"])
def test_the_shell_completes_nothing_where_nothing_is(
    evalwatt: Run, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    option = {"evaluate": [], "export": ["--model"]}[verb]
    monkeypatch.setenv("_EVALWATT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", shlex.join(["evalwatt", verb, *option, ""]))
    monkeypatch.setenv("COMP_CWORD", str(2 + len(option)))
    _, out, err = evalwatt()
    assert (out.strip(), err) == ("", "")


@pytest.mark.parametrize("verb", ["rebuild", "status"])
def test_a_home_that_is_a_file_is_named_with_a_remedy(
    evalwatt: Run, catalogue: Path, tmp_path: Path, verb: str
) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = evalwatt(verb, "--home", "file")
    assert code == 1
    assert f"Error: {tmp_path}/file" in err
    assert err.endswith("name another place (--home), or move the file\n")


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    program = (
        "import sys; from orchestration import cli; sys.argv = ['evalwatt', '--help']\n"
        "try: cli.main()\n"
        "finally: print(sorted({m.partition('.')[0] for m in sys.modules}), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {"dagster", "torch", "dbt", "pyarrow", "transformers", "lm_eval", "pandas", "numpy", "duckdb", "rich"}
    assert not set(ast.literal_eval(ended.stderr)) & (heavy | {"prompt_toolkit", "codecarbon"})


def test_expected_errors_exist() -> None:
    for name in cli.EXPECTED:
        module, _, error = name.rpartition(".")
        assert issubclass(getattr(importlib.import_module(module), error), Exception)


def test_unknown_verb_is_wrong_use(evalwatt: Run) -> None:
    assert evalwatt("dance")[0] == 2


def test_unknown_model_lists_the_known_ones(evalwatt: Run, catalogue: Path) -> None:
    code, _, err = evalwatt("evaluate", "tiny-bas")
    assert code == 2
    assert "tiny-base" in err
    assert len(err.splitlines()) == 1


def test_unknown_suite_is_wrong_use(evalwatt: Run, catalogue: Path) -> None:
    code, _, err = evalwatt("evaluate", "tiny-base", "--suite", "huge")
    assert code == 2
    assert "tiny" in err


@pytest.mark.parametrize("verb", ["plan", "run", "build"])
def test_a_catalogue_that_is_not_there_is_named(evalwatt: Run, verb: str) -> None:
    code, _, err = evalwatt(verb)
    assert code == 2
    assert "catalogue.yml" in err


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_an_empty_catalogue_says_what_it_needs(evalwatt: Run, tmp_path: Path, verb: str) -> None:
    (tmp_path / "catalogue.yml").write_text("")
    code, _, err = evalwatt(verb)
    assert code == 2
    assert "empty" in err


def test_a_misspelt_key_is_named_with_its_line(evalwatt: Run, catalogue: Path) -> None:
    catalogue.write_text(catalogue.read_text().replace('"provider"', '"provder"'))
    code, _, err = evalwatt("plan")
    assert code == 2
    assert "catalogue.yml:1:" in err
    assert "provder" in err


def test_a_suite_that_the_model_is_not_asked_is_wrong_use(evalwatt: Run, catalogue: Path) -> None:
    document = json.loads(catalogue.read_text())
    document["suites"]["other"] = document["suites"]["tiny"]
    catalogue.write_text(json.dumps(document))
    code, out, err = evalwatt("evaluate", "tiny-base", "--suite", "other")
    assert (code, out) == (2, "")
    assert err == "Error: tiny-base does not have the suite other; its suites: tiny\n"


def test_plan_says_what_is_due_and_why(evalwatt: Run, catalogue: Path) -> None:
    code, out, _ = evalwatt("plan")
    assert code == 0
    assert "never evaluated here" in out
    code, out, _ = evalwatt("plan", "--json")
    (planned,) = json.loads(out)
    assert (planned["model"], planned["suite"], planned["due"]) == ("tiny-base", "tiny", True)


def test_run_takes_until_as_the_catalogue_does(evalwatt: Run, catalogue: Path) -> None:
    code, _, err = evalwatt("run", "--until", "2 points")
    assert code == 2
    assert "'2 points' is neither decided nor a width; write decided, or ±2 points" in err
    document = json.loads(catalogue.read_text())
    document["suites"]["tiny"]["limit"] = 3
    catalogue.write_text(json.dumps(document))
    code, _, err = evalwatt("run", "--until", "decided")
    assert code == 2
    assert err.startswith("Error: suite tiny: until goes with all documents")


def test_evaluate_asks_the_plan_for_everything(evalwatt: Run, catalogue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def plan(*_: object, complete: bool, **options: object) -> list[object]:
        asked.append(complete)
        return []

    monkeypatch.setattr("evaluators.plan.plan", plan)
    assert evalwatt("evaluate", "tiny-base", "--complete")[0] == 0
    assert evalwatt("evaluate", "tiny-base")[0] == 0
    assert asked == [True, False]


def test_unforeseen_errors_are_one_line_without_debug(
    evalwatt: Run, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("evaluators.plan.plan", fail)
    code, _, err = evalwatt("plan")
    assert code == 1
    assert err.startswith("Error: the disk is full")
    assert len(err.splitlines()) == 1
    monkeypatch.setattr(sys, "argv", ["evalwatt", "plan", "--debug"])
    with pytest.raises(RuntimeError):
        cli.main()


def test_doctor_tells_methods_and_state(evalwatt: Run, tmp_path: Path, catalogue: Path) -> None:
    models = [model_entry("tiny-base", "base")]
    save_catalogue(tmp_path, tasks=["tiny_one"], models=models, meter="codecarbon")
    code, out, _ = evalwatt("doctor", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["problems"] == []
    assert report["energy"]["cpu_method"] in ("measured", "modelled_own_time")
    assert report["machine"]["dtype_auto"] in ("float32", "bfloat16")
    assert report["energy"]["country_iso_code"] == "USA"
    assert report["state"]["published"] is None
    assert report["versions"]["dagster"] == "1.13.27"
    assert evalwatt("doctor")[0] == 0


def test_doctor_promises_no_measurement_without_a_meter(evalwatt: Run, catalogue: Path) -> None:
    energy = json.loads(evalwatt("doctor", "--json")[1])["energy"]
    assert energy["meter"] == "none"
    assert {energy[f"{part}_method"] for part in ("cpu", "gpu", "ram")} == {"absent"}


def test_doctor_fails_where_the_catalogue_does(evalwatt: Run) -> None:
    code, out, _ = evalwatt("doctor")
    assert code == 1
    assert "problem: " in out


def test_doctor_names_a_task_that_lm_eval_does_not_know(evalwatt: Run, catalogue: Path, tmp_path: Path) -> None:
    assert json.loads(evalwatt("doctor", "--json")[1])["suites"] == {"tiny": "1 task or group"}
    models = [model_entry("tiny-base", "base")]
    save_catalogue(tmp_path, tasks=["tiny_one", "tiny_onne", "arc_easi", "arc_easy"], models=models)
    code, out, _ = evalwatt("doctor", "--json")
    one, two = json.loads(out)["problems"]
    assert code == 1
    assert one.startswith("suite tiny: lm-eval has no task or group 'tiny_onne'; did you mean tiny_one")
    assert "'arc_easi'; did you mean" in two
    save_catalogue(tmp_path, tasks=["tiny_onne"], models=[models[0] | {"retired": "for another"}])
    assert json.loads(evalwatt("doctor", "--json")[1])["problems"] == []  # nobody is asked it


def test_doctor_names_models_that_cannot_be_evaluated_as_they_are(
    evalwatt: Run, catalogue: Path, tmp_path: Path
) -> None:
    assert json.loads(evalwatt("doctor", "--json")[1])["models"]["prepared"] == "0 of 1"
    save_model(tmp_path / "base")
    config = tmp_path / "base" / "config.json"
    plain = json.loads(config.read_text())
    config.write_text(json.dumps(plain | {"quantization_config": {"quant_method": "awq", "bits": 4}}))
    code, out, _ = evalwatt("doctor", "--json")
    (quantized,) = json.loads(out)["problems"]
    assert code == 1
    assert quantized.startswith("model tiny-base: its weights are quantized (awq)")
    assert "pip install gptqmodel" in quantized
    config.write_text(json.dumps(plain))
    talking = model_entry("tiny-talker", "base", chat_template=True)
    save_catalogue(tmp_path, tasks=["tiny_one"], models=[model_entry("tiny-base", "base"), talking])
    (mute,) = json.loads(evalwatt("doctor", "--json")[1])["problems"]
    assert mute == "model tiny-talker: the model has no chat template, and tiny applies it"
    (tmp_path / "base" / "chat_template.jinja").write_text("{% if messages %}")
    (broken,) = json.loads(evalwatt("doctor", "--json")[1])["problems"]
    assert "tiny-talker: the model's chat template fails on a simple conversation" in broken
    (tmp_path / "base" / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    report = json.loads(evalwatt("doctor", "--json")[1])
    assert (report["problems"], report["models"]["prepared"]) == ([], "2 of 2")
    no_chat = [{"task": "tiny_one", "apply_chat_template": False}]
    (tmp_path / "base" / "chat_template.jinja").unlink()
    save_catalogue(tmp_path, tasks=no_chat, models=[talking])
    assert json.loads(evalwatt("doctor", "--json")[1])["problems"] == []  # nobody applies one


def test_doctor_says_whether_there_is_a_token_and_never_which(
    evalwatt: Run, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_NobodyMayReadThisHere")
    code, out, err = evalwatt("doctor", "--json")
    assert (code, json.loads(out)["models"]["token_for_gated_models"]) == (0, "HF_TOKEN is set")
    assert "NobodyMayReadThisHere" not in out + err
    monkeypatch.delenv("HF_TOKEN")
    assert json.loads(evalwatt("doctor", "--json")[1])["models"]["token_for_gated_models"] == "HF_TOKEN is not set"


def test_cache_lists_what_was_downloaded_and_frees_what_no_entry_names(
    evalwatt: Run, catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    snapshot = tmp_path / "hub" / "models--a--one" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_bytes(bytes(2_000_000))
    code, out, _ = evalwatt("cache")
    assert (code, "a/one@aaaaaaaaaaaa  2.00 MB" in out, "no entry" in out) == (0, True, True)
    (found,) = json.loads(evalwatt("cache", "--json")[1])["revisions"]
    assert (found["repo"], found["size_bytes"], found["named_by"], found["in_use"]) == ("a/one", 2_000_000, [], False)
    code, _, err = evalwatt("cache", "--to", "1GB")
    assert (code, "cache --evict --to" in err) == (2, True)
    code, _, err = evalwatt("cache", "--evict", "--to", "much")
    assert (code, "such as 500MB, 200GB" in err) == (2, True)
    assert evalwatt("cache", "--evict", "--to", "5MB")[1].startswith("freed 0.00 MB of the hub's cache (nothing)")
    code, out, _ = evalwatt("cache", "--evict")
    assert (code, snapshot.exists()) == (0, False)
    assert out.splitlines()[:2] == [
        "freed 2.00 MB of the hub's cache (a/one@aaaaaaaaaaaa); 0.00 MB remain",
        "freed 0.00 MB of prepared models (nothing)",
    ]


def test_a_run_that_is_not_there_is_neither_excluded_nor_calibrated_with(evalwatt: Run) -> None:
    code, _, err = evalwatt("exclude", "01ABC", "--reason", "the fan failed")
    assert code == 2
    assert err.startswith("Error: there is no run '01ABC'; nothing has been evaluated under ")
    code, _, err = evalwatt("calibrate", "--measured-kwh", "1.5")
    assert (code, err.splitlines()) == (
        2,
        ["Error: there is no completed run; evaluate a model while the wall meter counts, then calibrate"],
    )
    assert evalwatt("calibrate", "--measured-kwh", "0")[0] == 2


def test_exclude_and_undo_answer_in_words_and_json(evalwatt: Run, tmp_path: Path) -> None:
    run_id = BuiltRun(tmp_path / "data" / "landing", "base", [TaskOutcome("mc", [True], 100.0)]).land()
    no_reason = "Error: the reason is empty; say why, for people who find the run excluded\n"
    assert evalwatt("exclude", run_id, "--reason", " ") == (2, "", no_reason)
    code, out, _ = evalwatt("exclude", run_id, "--reason", "the fan failed", "--by", "ann")
    assert code == 0
    assert evalwatt("exclude", run_id, "--undo", "--reason", "") == (2, "", no_reason)
    assert out.startswith(f"{run_id} is excluded and its tasks are due again")
    code, out, _ = evalwatt("exclude", run_id, "--undo", "--reason", "it was another run", "--by", "bob", "--json")
    answer = json.loads(out)
    assert (answer["run_id"], answer["is_excluded"], answer["decided_by"]) == (run_id, False, "bob")


def test_sql_before_anything_is_published(evalwatt: Run) -> None:
    code, _, err = evalwatt("sql", "select 1")
    assert code == 1
    assert "evalwatt run" in err


def test_sql_answers_in_every_format(evalwatt: Run, published: Path, tmp_path: Path) -> None:
    query = "select * from marts.numbers order by i"
    code, out, _ = evalwatt("sql", query)
    assert code == 0
    assert out.splitlines()[2].split() == ["0", "0", "NULL"]
    assert out.endswith("(3 rows)\n")
    assert list(csv.reader(io.StringIO(evalwatt("sql", query, "--format", "csv")[1])))[1] == ["0", "0.0", ""]
    assert json.loads(evalwatt("sql", query, "--format", "json")[1])[1] == {"i": 1, "x": 0.25, "n": None}
    commented = f"-- as a file of queries begins\n{query}"
    assert evalwatt("sql", "--format", "json", commented)[:2] == evalwatt("sql", commented, "--json")[:2]
    assert json.loads(evalwatt("sql", commented, "--json")[1])[1] == {"i": 1, "x": 0.25, "n": None}
    assert evalwatt("sql", query, "--format", "parquet")[0] == 2
    assert evalwatt("sql", query, "--format", "parquet", "--output", "out.parquet")[0] == 0
    assert duckdb.sql(f"select count(*) from '{tmp_path}/out.parquet'").fetchone() == (3,)


@pytest.mark.parametrize(
    "query",
    [
        "from numbers",
        "show tables",
        "describe marts.numbers",
        "explain from numbers",
        "explain analyze select sum(i) from numbers",
        "explain (format json) from numbers",
        "with n as (from numbers) select (select max(i) from n)",
    ],
)
def test_sql_reads_in_other_words(evalwatt: Run, published: Path, query: str) -> None:
    assert evalwatt("sql", query)[0] == 0


@pytest.mark.parametrize(
    "query",
    [
        "drop table marts.numbers",
        "insert into marts.numbers values (1, 2, 3)",
        "create temp table t as select 1",
        "copy marts.numbers to 'stolen.csv'",
        "attach 'other.duckdb'",
        "set enable_external_access = true",
        "install httpfs",
        "explain analyze delete from marts.numbers",
        "select 1; select 2",
        "",
        "selec 1",
        "select nothing from marts.numbers",
        "from read_csv('/etc/passwd')",
        "from '/etc/passwd'",
        "from glob('/*')",
        "select * from query('drop table numbers')",
        "from read_text('/etc/passwd')",
        "from read_blob('/etc/passwd')",
        "from read_json('/etc/passwd')",
        "from parquet_scan('/etc/passwd')",
        "from sniff_csv('/etc/passwd')",
        "from 'https://example.org/a.parquet'",
        "from text",  # a variable of the program that asks
        "select getenv('HOME')",
        "load httpfs",
        "use memory",
        "call pragma_version()",
        "pragma enable_profiling",
        "set variable a = 1",
        "create secret (type s3, key_id 'a', secret 'b')",
        "export database 'stolen'",
        "prepare a as select 1",
        "explain analyze copy marts.numbers to 'stolen.csv'",
        "explain analyze copy (select 1) to '{published}'",
        "explain (analyze, format json) copy (select 1) to '{published}'",
        "EXPLAIN\nANALYZE /* */ copy (select 1) to '{published}'",
        "/* */ explain analyze copy (select 1) to '{published}'",
        "explain analyze copy (select 1) to '{published}.wal'",
        "explain analyze attach '{published}' as own",
        "explain explain analyze copy (select 1) to '{published}'",
    ],
)
def test_sql_refuses_everything_else(evalwatt: Run, published: Path, tmp_path: Path, query: str) -> None:
    before, files = (published / "marts.duckdb").read_bytes(), set(tmp_path.rglob("*"))
    code, out, err = evalwatt("sql", query.replace("{published}", str(published / "marts.duckdb")))
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert (published / "marts.duckdb").read_bytes() == before
    assert set(tmp_path.rglob("*")) == files


def test_sql_spills_nothing_to_the_disk(evalwatt: Run, published: Path, tmp_path: Path) -> None:
    with connect(Home.from_env()) as connection:
        settings = "select name, value from duckdb_settings() where name in (?, ?, ?) order by name"
        names = ["enable_external_access", "lock_configuration", "temp_directory"]
        assert connection.execute(settings, names).fetchall() == list(zip(names, ["false", "true", ""], strict=True))


def test_sql_imports_nothing_heavy(published: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from orchestration import cli; sys.argv = ['evalwatt', 'sql', 'from marts.numbers']\n"
        "try: cli.main()\n"
        "finally: print(sorted({m.partition('.')[0] for m in sys.modules}), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(ended.stderr))
    assert "duckdb" in loaded
    heavy = {"dagster", "torch", "dbt", "pyarrow", "transformers", "lm_eval", "pandas", "numpy", "prompt_toolkit"}
    assert not loaded & heavy
