"""The report without a browser: rows to page, empty states, hostile names, one step of writing."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration import report
from orchestration.home import MARTS_FILE, Home
from orchestration.report import findings, formats, page, queries, sections, tables
from orchestration.report.queries import Answer

WITHIN = {"comparability_key": "comparability_key"}
# Which of a mart's rows the report shows.
IN_FORCE = {
    "mart_model_efficiency": "basis = 'measured' and is_current",
    "mart_size_bucket_comparison": "params_source = 'counted'",
    "mart_verbosity": "is_current",
}
HOLDS = {"verdict_code": "holds", "verdict": "holds"}
HOSTILE = """</script><img src=x onerror="alert(1)"> & 'q' `x`\u2028"""


@pytest.fixture(scope="session")
def answers(homes: dict[str, Home]) -> dict[str, Answer]:
    """Of own evaluations on two machines, without a leaderboard."""
    with duckdb.connect(homes["second"].published / MARTS_FILE, read_only=True) as connection:
        return queries.ask(connection)


@pytest.fixture
def nothing(answers: dict[str, Answer]) -> dict[str, Answer]:
    return {name: replace(answer, rows=()) for name, answer in answers.items()}


class Page(HTMLParser):
    """What a browser makes of it, as far as these tests ask."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.scripts: dict[str, str] = {}
        self._script: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._script = dict(attrs).get("id") or tag

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._script = None

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts[self._script] = data
        else:
            self.words += data


def changed(
    answers: dict[str, Answer], name: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Answer]:
    """The answers with the rows of one query changed."""
    rows = tuple(tuple(change(dict(row)).values()) for row in answers[name])
    return answers | {name: replace(answers[name], rows=rows)}


@pytest.mark.parametrize("name", queries.NAMES)
def test_no_outer_join_compares_every_row_with_every_row(homes: dict[str, Home], name: str) -> None:
    """DuckDB hashes an outer join of equalities only; with a hundred states held the other kind takes minutes."""
    with duckdb.connect(homes["second"].published / MARTS_FILE, read_only=True) as connection:
        ((_, plan),) = connection.execute(f"explain (format json) {queries.text(name)}").fetchall()
    joins = [
        node
        for node in operators(json.loads(plan))
        if node["extra_info"].get("Join Type") in ("LEFT", "RIGHT", "OUTER")
    ]
    assert {node["name"] for node in joins} <= {"HASH_JOIN", "LEFT_DELIM_JOIN", "RIGHT_DELIM_JOIN"}


def operators(plan: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Those of DuckDB's plan, from the top."""
    for node in plan:
        yield node
        yield from operators(node["children"])


def test_every_section_has_its_queries_as_they_were_run(answers: dict[str, Answer]) -> None:
    shown = Page(page.render(answers))
    made = sections.sections(answers)
    # nothing here was looked at before everything was asked
    assert {name for section in made for name in section.queries} == {*queries.NAMES} - {"asked"}
    assert json.loads(shown.scripts["rows"]).keys() == {*queries.NAMES} - {"asked"}
    for section in made:
        assert ("section", {"id": section.id, "aria-labelledby": f"{section.id}-title"}) in shown.tags
        for name in section.queries:
            assert answers[name].sql in shown.words


def test_the_page_needs_nothing_from_elsewhere(answers: dict[str, Answer]) -> None:
    shown = Page(page.render(answers))
    assert not [attributes for tag, attributes in shown.tags if {"src", "srcset"} & set(attributes) or tag == "link"]
    assert all(str(attributes["href"]).startswith("#") for tag, attributes in shown.tags if tag == "a")
    assert "url(" not in shown.scripts["style"]
    (policy,) = [a["content"] for tag, a in shown.tags if tag == "meta" and "http-equiv" in a]
    assert str(policy).startswith("default-src 'none'")


def test_rows_arrive_in_the_page_as_the_queries_gave_them(answers: dict[str, Answer]) -> None:
    encoded = json.loads(Page(page.render(answers)).scripts["rows"])
    for name in encoded:
        answer, columns = answers[name], encoded[name]["columns"]
        assert list(columns) == list(answer.columns)
        for number, row in enumerate(answer):
            for column, value in row.items():
                found = columns[column]
                found = found["words"][found["at"][number]] if isinstance(found, dict) else found[number]
                if isinstance(value, float):
                    assert found == pytest.approx(value, rel=1e-5)
                elif value is None or isinstance(value, bool | int | str):
                    assert found == value
                else:
                    assert found.startswith(str(value)[:10])


def test_a_night_has_the_methods_of_its_own_runs(homes: dict[str, Home], tmp_path: Path) -> None:
    """A sensor that came later says nothing of the nights before it."""
    file = tmp_path / MARTS_FILE
    shutil.copyfile(homes["second"].published / MARTS_FILE, file)
    file.chmod(0o644)
    with duckdb.connect(file) as connection:
        last = "(select max(night) from marts.fct_evaluation_runs)"
        connection.execute(f"update fct_evaluation_runs set energy_method = 'cpu measured' where night = {last}")
        nights = list(queries.ask(connection)["nights"])
    newest = max(row["night"] for row in nights)
    assert {row["energy_methods"] for row in nights if row["night"] == newest} == {"cpu measured"}
    assert {row["energy_methods"] for row in nights if row["night"] != newest} == {"cpu modelled, ram modelled"}


def test_a_hostile_name_stays_a_name(answers: dict[str, Answer]) -> None:
    hostile = answers
    for name, column in (
        ("own_models", "model"),
        ("verbosity", "model"),
        ("nights", "model"),
        ("finetunes", "finetuned"),
    ):
        hostile = changed(hostile, name, lambda row, column=column: row | {column: HOSTILE})
    text = page.render(hostile)
    shown = Page(text)
    assert HOSTILE in shown.words
    assert not [tag for tag, _ in shown.tags if tag == "img"]
    # Vega, our modules and what starts them, three of data, and no more; their data is JSON that says the name
    assert len(re.findall("</script", text, re.IGNORECASE)) == 6
    assert HOSTILE in json.loads(shown.scripts["rows"])["own_models"]["columns"]["model"]["words"]


def test_nothing_at_all_says_what_to_do(nothing: dict[str, Answer]) -> None:
    shown = Page(page.render(nothing))
    heading = findings.tonight(nothing)[0]
    assert "`evalwatt run`" in heading
    assert "`evalwatt import-leaderboard hub`" in heading
    for section in sections.sections(nothing):
        assert section.notes, f"{section.id} is empty and says nothing"
        assert not section.charts
    assert "NaN" not in shown.words
    assert "None" not in shown.words


def test_without_a_leaderboard_its_sections_name_the_command(answers: dict[str, Answer]) -> None:
    made = {section.id: section for section in sections.sections(answers)}
    assert made["official"].notes == (sections.NO_LEADERBOARD,)
    assert sections.NO_LEADERBOARD in made["claims"].notes
    assert [chart.id for chart in made["size"].charts] == ["own-sizes"]
    assert [chart.id for chart in made["fine-tunes"].charts] == ["arrows"]


def test_one_model_alone_is_explained(answers: dict[str, Answer]) -> None:
    first, *_ = answers["own_models"].rows
    one = answers | {"own_models": replace(answers["own_models"], rows=(first,))}
    assert any("Only one model" in note for note in sections.sections(one)[0].notes)


def test_an_energy_that_is_not_known_shows_its_reason_and_no_zero(answers: dict[str, Answer]) -> None:
    unknown = changed(
        answers,
        "nights",
        lambda row: (
            row
            | {"energy_kwh": None, "energy_known_kwh": None, "inference_kwh": None, "inference_known_kwh": None}
            | {"emissions_kg": None, "emissions_known_kg": None, "energy_reason": "the meter failed"}
        ),
    )
    sentence, figures = findings.tonight(unknown)
    assert "; the energy used is not known (the meter failed)" in sentence
    assert [figure.value for figure in figures][2:] == ["not known", "not known CO₂e"]
    assert figures[2].method == "the meter failed"
    (nights,) = next(section for section in sections.sections(unknown) if section.id == "nights").tables
    for _, cells in nights.rows:
        (shown,) = [cell.text for cell in cells if "the meter failed" in cell.text]
        assert shown == "cpu modelled, ram modelled; total not known: the meter failed"


def test_one_model_without_an_energy_does_not_hide_the_others(answers: dict[str, Answer]) -> None:
    last = max(row["night"] for row in answers["nights"])
    night = answers["nights"].where(night=last)
    lost = night[0]["model"]
    partly = changed(
        answers,
        "nights",
        lambda row: (
            row | {"energy_known_kwh": None, "emissions_known_kg": None, "energy_reason": "the meter failed"}
            if row["model"] == lost
            else row
        ),
    )
    known = sum(row["energy_known_kwh"] for row in night if row["model"] != lost)
    models = len({row["model"] for row in night})
    sentence, figures = findings.tonight(partly)
    assert models > 1
    assert f"using at least {formats.energy(known)}" in sentence
    assert f"known for {models - 1} of {models} models" in sentence
    assert "not known" not in sentence
    assert figures[2].value == f"at least {formats.energy(known)}"
    assert figures[2].of.startswith(f"all phases of {models - 1} of {models} models")
    kg = sum(row["emissions_kg"] for row in night if row["model"] != lost)
    assert figures[3].value == f"at least {formats.mass(kg)} CO₂e"


def test_a_model_on_two_machines_counts_once_each_where_one_of_them_has_no_energy(answers: dict[str, Answer]) -> None:
    last = max(row["night"] for row in answers["nights"])
    row = dict(answers["nights"].where(night=last)[0])
    twice = {figure: 2 * row[figure] for figure in ("energy_known_kwh", "emissions_known_kg")}
    second = row | {"machine": "second"} | twice
    third = row | {"machine": "third", "energy_reason": "no meter"} | dict.fromkeys(twice)
    nights = replace(answers["nights"], rows=tuple(tuple(each.values()) for each in (row, second, third)))
    sentence, figures = findings.tonight(answers | {"nights": nights})
    assert "known for 2 of 3 models by machine" in sentence
    assert figures[2].value == f"at least {formats.energy(3 * row['energy_kwh'])}"
    assert figures[3].value == f"at least {formats.mass(3 * row['emissions_kg'])} CO₂e"


def test_windows_without_an_energy_are_counted_and_hide_nothing(answers: dict[str, Answer]) -> None:
    """Two scoring windows of each model and an idle one of the last are in doubt."""
    last = max(row["night"] for row in answers["nights"])
    night = answers["nights"].where(night=last)
    lacking = {"scoring_windows_without_energy": 2, "duration_without_energy_s": 0.5, "scoring_kwh": None}
    lacking |= {"energy_kwh": None, "emissions_kg": None, "energy_reason": "scoring of mc: flagged foreign_load"}
    partly = changed(
        answers,
        "nights",
        lambda row: row | lacking | ({"idle_windows_without_energy": 1} if row["model"] == night[-1]["model"] else {}),
    )
    sentence, figures = findings.tonight(partly)
    known, kg = (sum(row[of] for row in night) for of in ("energy_known_kwh", "emissions_known_kg"))
    seconds = formats.number(len(night) / 2, 2)
    words = f"without 1 idle and {2 * len(night)} scoring windows ({seconds}\u00a0s in total)"
    took = f"{formats.energy(known)} (cpu modelled, ram modelled) and emitting {formats.mass(kg)} of CO₂e"
    assert f", using {took}, {words}" in sentence
    assert figures[2].value == formats.energy(known)
    assert words in figures[2].of
    (table,) = next(section for section in sections.sections(partly) if section.id == "nights").tables
    titles = [title for title, _ in table.columns]
    for _, cells in table.rows:
        cell = dict(zip(titles, cells, strict=True))
        assert cell["Scoring"].text.endswith("without 2 windows")
        assert "scoring windows (0.50\u00a0s in total)" in cell["All"].text


def test_a_pair_falls_back_to_the_tasks_whose_energies_are_known(answers: dict[str, Answer]) -> None:
    (suite,) = answers["finetunes"].where(basis="measured", scope="suite", suite="mini")
    lost = suite | {
        "energy_ratio": None,
        "joules_per_correct_ratio": None,
        "verdict_reason": "base: gen: flagged stuck",
    }
    known = suite | {"scope": "known_tasks", "tasks_compared": "mc", "tasks_paired": 1, "tasks_planned": 2}
    known |= {"joules_per_correct_ratio": 1.2, "base_joules_per_correct": 100.0, "verdict": "more"}
    rows = tuple(tuple(row.values()) for row in (known, lost))
    partly = answers | {"finetunes": replace(answers["finetunes"], rows=rows)}
    partly = changed(partly, "own_models", lambda row: row | {"joules_per_correct": None})
    told = [finding.words for question in findings.questions(partly) for finding in question.on(findings.MEASURED)]
    said = "tuned: 0.125\u00a0× as many tokens as its base, "
    said += "1.20\u00a0× as much energy per correct answer on 1 of 2 tasks (mc): more"
    assert any(words.startswith(said) for words in told)
    least = findings.tonight(partly)[1][1]
    assert (least.value, least.of) == ("100 J", "base, against tuned, on 1 of 2 tasks (mc)")
    notes = next(section for section in sections.sections(partly) if section.id == "fine-tunes").notes
    assert any(note.startswith("tuned against base: ") and note.endswith("on 1 of 2 tasks (mc).") for note in notes)


def test_the_gpu_alone_stands_where_cpu_and_ram_are_in_doubt(answers: dict[str, Answer]) -> None:
    gpu = changed(answers, "own_models", lambda row: row | {"joules_per_correct": None, "joules_per_correct_gpu": 3.0})
    least = findings.tonight(gpu)[1][1]
    assert (least.value, least.method) == ("3 J", "GPU alone (cpu modelled, ram modelled)")


def test_the_best_score_is_no_winner_where_intervals_overlap(answers: dict[str, Answer]) -> None:
    key = findings.main_key(answers)
    scored = [row for row in answers["own_models"].where(comparability_key=key) if row["score"] is not None]
    best = max(scored, key=lambda row: row["score"])
    for low, overlaps in ((best["score"] - 0.1, False), (0.0, True)):
        bounded = changed(
            answers,
            "own_models",
            lambda row, low=low: (
                row
                | {"score_low": low if row["model"] == best["model"] else 0.0}
                | {"score_high": 100.0 if row["model"] == best["model"] else row["score"]}
            ),
        )
        assert ("scores highest (the interval overlaps that of" in findings.tonight(bounded)[0]) == overlaps


@pytest.mark.parametrize(
    ("models", "metered", "highest", "least"),
    [
        (2, 2, "of the 2 models compared, m1 scores higher", "and m0 needs less energy per correct answer"),
        (3, 2, "of the 3 models compared, m2 scores highest", "of the 2 with a known energy, m0 needs less energy"),
        (3, 3, "of the 3 models compared, m2 scores highest", "and m0 needs the least energy per correct answer"),
    ],
)
def test_of_two_models_one_is_higher_and_of_three_one_is_highest(
    answers: dict[str, Answer], models: int, metered: int, highest: str, least: str
) -> None:
    row = min(answers["own_models"], key=lambda row: row["headline_rank"])
    rows = [
        row | {"model": f"m{n}", "score": 50.0 + n, "joules_per_correct": 1.0 + n if n < metered else None}
        for n in range(models)
    ]
    own = replace(answers["own_models"], rows=tuple(tuple(each.values()) for each in rows))
    sentence = findings.tonight(answers | {"own_models": own})[0]
    assert highest in sentence
    assert least in sentence


@pytest.mark.parametrize(
    ("low", "high", "other_low", "said"),
    [
        (None, None, None, "(no interval: one repetition)"),
        (1.0, 3.0, 2.0, "(the interval overlaps that of "),
        (1.0, 2.0, 3.0, ""),
    ],
)
def test_the_least_energy_is_no_winner_without_an_interval_of_its_own(
    answers: dict[str, Answer], low: float | None, high: float | None, other_low: float | None, said: str
) -> None:
    key = findings.main_key(answers)
    known = [row for row in answers["own_models"].where(comparability_key=key) if row["joules_per_correct"] is not None]
    cheap = min(known, key=lambda row: row["joules_per_correct"])
    bounded = changed(
        answers,
        "own_models",
        lambda row: (
            row
            | {"joules_per_correct_low": low if row["model"] == cheap["model"] else other_low}
            | {"joules_per_correct_high": high if row["model"] == cheap["model"] else other_low}
            | {"energy_interval_reason": "one repetition" if low is None else None}
        ),
    )
    sentence = findings.tonight(bounded)[0]
    _, _, after = sentence.partition("needs the least energy per correct answer")
    assert after.startswith(f" {said}" if said else ".")


def test_that_tokens_are_not_counted_is_said_of_the_leaderboard_only(answers: dict[str, Answer]) -> None:
    told = {"claim_id": "g", "effect": 0.5, "effect_low": 0.4, "effect_high": 0.6} | HOLDS
    claims = changed(answers, "claims", lambda row: row | (told if row["claim_id"] == "g" else {}))
    (question,) = [question for question in findings.questions(claims) if question.section == "verbosity"]
    said = {
        (found.basis, "tokens are not counted" in found.words) for found in question.findings if "Qwen2" in found.words
    }
    assert (findings.MEASURED, False) in said
    assert (findings.MEASURED, True) not in said
    assert all(uncounted for basis, uncounted in said if basis != findings.MEASURED)


def test_own_lines_say_what_they_tell_and_not_what_they_cannot(answers: dict[str, Answer]) -> None:
    for question in findings.questions(answers):
        own = question.on(findings.MEASURED)
        if question.section in ("verbosity",) or question.words.startswith("Are small"):
            assert own
            assert not any(finding.verdict and finding.verdict.code == findings.UNDETERMINED for finding in own)
    nobody = answers | {name: replace(answers[name], rows=()) for name in ("own_models", "finetunes")}
    (verbosity,) = [question for question in findings.questions(nobody) if question.section == "verbosity"]
    assert {finding.verdict for finding in verbosity.on(findings.MEASURED)} == {
        findings.Verdict(findings.UNDETERMINED, "undetermined")
    }


def test_a_familys_models_are_counted_in_each_basis(answers: dict[str, Answer]) -> None:
    row = dict.fromkeys(answers["families"].columns) | {"as_of": date(2025, 1, 9), "size_class": "7–9 B", "family": "x"}
    rows = [
        row | {"model_group": "community", "basis": basis, "n": n}
        for basis, n in zip((findings.PUBLISHED, findings.PER_RUN), (12, 11), strict=True)
    ]
    table = tables.families(
        answers | {"families": replace(answers["families"], rows=tuple(tuple(r.values()) for r in rows))}
    )
    (((_, cells),),) = (table.rows,)
    counts = {title: cell.text for (title, *_), cell in zip(table.columns, cells, strict=True) if "Models" in title}
    assert counts == {"Models, as published": "12", "Models, per run": "11"}


def test_a_claims_effect_and_its_counts_say_what_they_are(answers: dict[str, Answer]) -> None:
    effects = {"effect": 0.25, "effect_low": 0.2, "effect_high": 0.3, "n_a": 1200, "n_b": 300}
    told = changed(answers, "claims", lambda row: row | effects | HOLDS)
    shown = {}
    for _, cells in tables.claims(told).rows:
        claim, own = cells[0], cells[-1]
        shown[claim.sort] = (own.text, dict(own.details)["Based on"])
    assert shown["a"] == (
        "25\u00a0% (20 to 30)",
        "1,200 community models below 10 B; 300 of them with 35 points under 5 kg",
    )
    assert shown["b"] == ("correlation 0.250 (0.200 to 0.300)", "1,200 models; 300 size classes")
    assert shown["c"][0] == "0.250\u00a0× (0.200 to 0.300)"


def test_day_sizes_and_classes_are_the_claims_own(answers: dict[str, Answer]) -> None:
    assert findings.study_day(answers) == date(2025, 1, 9)
    assert list(sections.family_charts(answers).values()) == ["65–80 B", "7–9 B"]
    assert findings.small(answers) == 10
    others = {"study_day": date(2030, 1, 2), "size_class": "3–4 B", "params_below_b": 0.001}
    other = changed(answers, "claims", lambda row: row | others)
    assert findings.study_day(other) == date(2030, 1, 2)
    assert list(sections.family_charts(other).values()) == ["3–4 B"]
    (small, *_) = [question for question in findings.questions(other) if question.words.startswith("Are small")]
    assert not any(finding.words.startswith("best below") for finding in small.on(findings.MEASURED))
    listed = {"basis": findings.PUBLISHED, "as_of": date(2030, 1, 2)}
    shown = page.render(
        changed(other, "claims", lambda row: row | listed | {"as_of": date(2030, 1, 1 + (row["claim_id"] > "b"))})
    )
    assert '<option value="2030-01-02" selected>2030-01-02 (study)</option>' in shown


def test_what_the_leaderboard_multiplies_is_what_its_key_and_its_scenario_say(answers: dict[str, Answer]) -> None:
    made = sections.sections(answers)[0].method
    assert f"Leaderboard: {sections.NAMEPLATE} × 269.8 g/kWh, not measured" in made
    key = "open-llm-leaderboard v2 | 8 x H100 | nameplate 7 kW x hours | suite=leaderboard"
    listed = changed(answers, "methods", lambda row: row | {"basis": findings.PUBLISHED, "comparability_key": key})
    cleaner = changed(listed, "scenarios", lambda row: row | {"grid_intensity_g_per_kwh": 100.0})
    assert "Leaderboard: nameplate 7 kW × hours × 100 g/kWh, not measured" in sections.sections(cleaner)[0].method


def test_own_size_classes_have_a_table_of_their_own(answers: dict[str, Answer]) -> None:
    own = answers["sizes"].where(basis=findings.MEASURED)
    listed = dict(own[0]) | {"basis": findings.PER_RUN, "as_of": date(2025, 1, 9)}
    both = replace(answers["sizes"], rows=(*answers["sizes"].rows, tuple(listed.values())))
    table, ours = tables.sizes(answers | {"sizes": both})
    assert [cells[2].text for _, cells in table.rows] == ["Leaderboard, per run"]
    assert {cells[2].text.partition(":")[0] for _, cells in ours.rows} == {"Your evaluations"}


def test_what_an_energy_is_good_for_names_the_calibration(answers: dict[str, Answer]) -> None:
    for factor, expected in (
        (None, "absolute figures"),
        (1.37, "absolute figures, times 1.37 (calibrated; shown as metered)"),
    ):
        given = changed(
            answers,
            "methods",
            lambda row, factor=factor: row | {"energy_valid_for": "absolute figures", "calibration_factor": factor},
        )
        assert {cells[3].text for _, cells in tables.methods(given).rows} == {expected}


def test_the_nights_figures_are_the_marts(answers: dict[str, Answer]) -> None:
    night = max(row["night"] for row in answers["nights"])
    energies = [row["energy_kwh"] for row in answers["nights"] if row["night"] == night]
    own = answers["own_models"].where(comparability_key=findings.main_key(answers))
    best = max((row for row in own if row["score"] is not None), key=lambda row: row["score"])
    highest, least, energy, _ = findings.tonight(answers)[1]
    assert (highest.value, highest.of) == (f"{best['score']:.1f}", best["model"])
    assert least.method == "cpu modelled, ram modelled"
    assert energy.value == formats.energy(None if None in energies else sum(energies))


@pytest.mark.parametrize(
    ("name", "mart", "key"),
    [
        ("own_models", "mart_model_efficiency", {"model": "model_id"} | WITHIN),
        (
            "finetunes",
            "mart_base_vs_finetuned_deltas",
            {"finetuned": "finetuned_model_id", "scope": "scope", "task": "task"} | WITHIN,
        ),
        ("nights", "mart_emissions_history", {"night": "night", "machine": "machine_id", "model": "model_id"}),
        ("sizes", "mart_size_bucket_comparison", {"bucket": "bucket"} | WITHIN),
        ("verbosity", "mart_verbosity", {"model": "model_id", "task": "task"} | WITHIN),
        ("claims", "mart_study_claims", {"claim_id": "claim_id", "as_of": "as_of"}),
    ],
)
def test_a_figure_under_a_marts_name_is_the_marts(
    homes: dict[str, Home], answers: dict[str, Answer], name: str, mart: str, key: dict[str, str]
) -> None:
    with duckdb.connect(homes["second"].published / MARTS_FILE, read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        result = connection.execute(f"select * from marts.{mart} where {IN_FORCE.get(mart, 'true')}")
        columns = [column[0] for column in result.description or ()]
        rows = [dict(zip(columns, row, strict=True)) for row in result.fetchall()]
    assert len(answers[name])
    same = set(answers[name].columns) & set(columns)
    assert same - key.keys()
    for shown in answers[name]:
        (row,) = [row for row in rows if all(row[of] == shown[own] for own, of in key.items())]
        assert {column: shown[column] for column in same} == {column: row[column] for column in same}


def test_a_fine_tunes_figures_are_what_was_landed(answers: dict[str, Answer]) -> None:
    """By hand from `metered_nights`: the base took 1000 + 4000 J for 11 correct answers, the fine-tune 1500 for 13."""
    (row,) = answers["finetunes"].where(basis="measured", scope="suite", suite="mini")
    assert row["energy_ratio"] == pytest.approx(1500 / 5000)
    assert row["joules_per_correct_ratio"] == pytest.approx((1500 / 13) / (5000 / 11))
    assert row["tokens_out_ratio"] == pytest.approx(2.5 / 20)
    told = [finding.words for question in findings.questions(answers) for finding in question.on(findings.MEASURED)]
    assert any("0.254\u00a0× as much energy per correct answer" in words for words in told)


def test_every_own_model_with_both_figures_is_on_the_frontier_or_beaten(answers: dict[str, Answer]) -> None:
    for row in answers["own_models"]:
        known = row["energy_kwh"] is not None and row["score"] is not None
        assert known == (row["on_frontier"] is not None)
        assert (row["on_frontier"] is False) == (row["dominated_by"] is not None)


def test_energies_of_two_comparability_keys_are_never_compared(answers: dict[str, Answer]) -> None:
    """Machine m2 runs the same base, ten times hungrier."""
    keys = {row["comparability_key"] for row in answers["own_models"]}
    assert len(keys) > 1
    key = findings.main_key(answers)
    least = findings.tonight(answers)[1][1]
    known = [
        row["joules_per_correct"]
        for row in answers["own_models"].where(comparability_key=key)
        if row["joules_per_correct"]
    ]
    assert least.value == f"{formats.number(min(known))} J"


@pytest.mark.parametrize(
    ("kwh", "words"),
    [
        (None, "not known"),
        (float("nan"), "not known"),
        (0.0, "0\u00a0kWh"),
        (2.5e-7, "0.250\u00a0mWh"),
        (0.000719, "719\u00a0mWh"),
        (0.0012, "1.20\u00a0Wh"),
        (1.0, "1\u00a0kWh"),
        (29495.4, "29.5\u00a0MWh"),
    ],
)
def test_energy_has_the_unit_that_fits(kwh: float | None, words: str) -> None:
    assert formats.energy(kwh) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0"),
        (0.34534, "0.345"),
        (12.34, "12.3"),
        (1234.5, "1,230"),
        (2742.0, "2,742"),
        (-0.5, "\u22120.500"),
        (99.99, "100.0"),
    ],
)
def test_numbers_have_three_digits(value: float, words: str) -> None:
    assert formats.number(value) == words


def test_the_page_is_exchanged_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = page.write("first", tmp_path / "report")
    held = target.open(encoding="utf-8")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        page.write("second", tmp_path / "report")
    assert [path.name for path in target.parent.iterdir()] == ["index.html"]
    assert target.read_text(encoding="utf-8") == held.read() == "first"
    monkeypatch.undo()
    page.write("third", tmp_path / "report")
    assert target.read_text(encoding="utf-8") == "third"
    held.close()


def test_the_report_is_written_from_a_published_file(homes: dict[str, Home], tmp_path: Path) -> None:
    path = report.write(homes["first"].published / MARTS_FILE, tmp_path / "report")
    assert path == tmp_path / "report" / "index.html"
    assert "evaluated on 1 March 2026 on " in path.read_text(encoding="utf-8")
    assert findings.day(date(2026, 3, 1)) == "1 March 2026"
