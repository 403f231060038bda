"""The report as people use it: in a browser, at two widths, light and dark, by keyboard; its figures are the marts'."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime
from math import isclose
from pathlib import Path
from typing import Any

import duckdb
import pytest
from axe_playwright_python.sync_playwright import Axe

from orchestration import report
from orchestration.cli.sql_answer import check_reads
from orchestration.home import MARTS_FILE, Home
from orchestration.report import formats, page, queries
from orchestration.warehouse.published import connect
from tests.support.opened import Opened
from tests.support.states import NO_REAL_STATES, REAL
from tests.support.stopped_night import StoppedNight

Open = Callable[..., Opened]
needs_states = pytest.mark.skipif(not REAL, reason=NO_REAL_STATES)


def asked(home: Home, statement: str) -> list[dict[str, Any]]:
    """What `evalwatt sql` answers, over its connection."""
    with connect(home) as connection:
        check_reads(connection, statement)
        result = connection.execute(statement)
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def test_every_section_shows_what_it_has(home: Home, opened: Open) -> None:
    shown = opened(home.report_page)
    shown.all_drawn()
    sections = shown.page.locator("main > section").all()
    assert len(sections) == 11
    for section in sections:
        assert section.locator("h1, h2").inner_text()
    for place in shown.page.locator(".chart").all():
        if place.locator(".nothing").count():
            continue
        coloured = place.locator("canvas").evaluate(
            "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)"
        )
        assert coloured, place.get_attribute("id")
    assert shown.page.locator(".chart canvas").count() >= (11 if REAL else 4)


def test_what_the_page_holds_is_what_its_queries_give(home: Home, opened: Open) -> None:
    holds_what_its_queries_give(opened(home.report_page), home, {*queries.NAMES} - {"asked"})


def holds_what_its_queries_give(shown: Opened, home: Home, names: Iterable[str]) -> None:
    for name in names:
        statement = shown.page.locator(f"code[id$='-{name}']").first.text_content()
        expected = asked(home, str(statement))
        found = shown.rows(name)
        assert len(found) == len(expected), name
        for ours, theirs in zip(found, expected, strict=True):
            for column, value in theirs.items():
                if isinstance(value, float):
                    assert isclose(ours[column], value, rel_tol=1e-5), (name, column)
                elif isinstance(value, date) and not isinstance(value, datetime):
                    assert ours[column] == str(value)
                elif not isinstance(value, datetime):
                    assert ours[column] == value, (name, column)


def test_charts_of_own_models_begin_with_the_key_that_the_claims_are_about(home: Home, opened: Open) -> None:
    (headline,) = asked(home, "select distinct comparability_key from mart_model_efficiency where headline_rank = 1")
    shown = opened(home.report_page)
    for form in ("pairs", "verbosity"):
        chosen = shown.page.locator(f"#{form}-controls [name=evidence]").evaluate("select => select.value")
        assert chosen == headline["comparability_key"], form
    sizes = shown.ask(
        "comparisons.js", "({ ownSizes }) => [...new Set(ownSizes().map((row) => row.comparability_key))]"
    )
    assert sizes == [headline["comparability_key"]]


@needs_states
def test_filters_and_the_state_change_what_is_shown(home: Home, opened: Open) -> None:
    shown = opened(home.report_page)
    shown.all_drawn()
    form = shown.page.locator("#frontier-controls")
    count = "select count(*) as n from marts.mart_model_efficiency where basis = 'leaderboard_per_run' and as_of = "
    shown.page.select_option("#frontier-controls [name=evidence]", "leaderboard_per_run")
    form.locator("[name=family]").select_option("Qwen2.5")
    form.locator("[name=bucket]").select_option("≥ 40 B")
    (expected,) = asked(home, f"{count} '2025-01-09' and family = 'Qwen2.5' and bucket = '≥ 40 B'")
    words = shown.page.locator("#frontier-count")
    shown.page.wait_for_function(
        "n => document.getElementById('frontier-count').textContent.startsWith(`${n} of`)", arg=expected["n"]
    )
    assert 0 < len(shown.drawn("frontier", "points")) <= expected["n"]
    first = shown.page.locator("#models tbody tr").all_inner_texts()
    form.locator("[name=name]").fill("instruct")
    shown.page.wait_for_function(
        "before => !document.getElementById('frontier-count').textContent.startsWith(before)", arg=f"{expected['n']} of"
    )
    assert shown.page.locator("#models tbody tr").all_inner_texts() != first
    newest = shown.page.locator("#state option").last.get_attribute("value")
    shown.page.select_option("#state", newest)
    kept = "family = 'Qwen2.5' and bucket = '≥ 40 B' and model_id ilike '%instruct%'"
    (expected,) = asked(home, f"{count} '{newest}' and {kept}")
    shown.page.wait_for_function(
        "n => document.getElementById('frontier-count').textContent.startsWith(n)", arg=f"{expected['n']:,} of"
    )
    assert words.inner_text()
    shown.page.select_option("#frontier-controls [name=evidence]", "leaderboard_published")
    assert form.locator("[name=bucket]").input_value() == "≥ 40 B"
    claims = "select verdict, effect from marts.mart_study_claims where basis = 'leaderboard_published'"
    (claim,) = asked(home, f"{claims} and claim_id = 'e' and as_of = '{newest}'")
    cell = shown.page.locator("#claims tbody tr:visible", has_text="(e)").locator("td").nth(1).inner_text()
    assert claim["verdict"] in cell
    assert formats.number(claim["effect"]) in cell
    (methods,) = asked(home, f"{count} '{newest}'")
    line = shown.page.locator("#methods tbody tr:visible", has_text="per run").locator("td.number").first
    assert line.inner_text() == f"{methods['n']:,}"


@needs_states
def test_the_models_below_ten_billion_by_points_per_kwh(home: Home, opened: Open) -> None:
    shown = opened(home.report_page)
    shown.page.select_option("#frontier-controls [name=evidence]", "leaderboard_per_run")
    shown.page.select_option("#frontier-controls [name=bucket]", "below 10 B")
    models = "from marts.mart_model_efficiency where basis = 'leaderboard_per_run' and as_of = '2025-01-09'"
    (expected,) = asked(home, f"select count(*) as n {models} and params_b < 10")
    shown.page.wait_for_function(
        "n => document.getElementById('frontier-count').textContent.startsWith(n)", arg=f"{expected['n']:,} of"
    )
    # Not by the mouse, which would miss a heading that a chart moves while it is drawn.
    shown.page.locator("#models th", has_text="Points per kWh").locator("button").dispatch_event("click")
    points = f"select model_id, score / energy_kwh as points {models} and params_b < 10"
    (best,) = asked(home, f"{points} order by points desc nulls last limit 1")
    shown.page.locator("#models tbody tr:first-child", has_text=best["model_id"]).wait_for(state="attached")
    first = shown.page.locator("#models tbody tr").first.inner_text()
    assert best["model_id"] in first
    assert formats.number(best["points"]) in first
    shown.page.fill("#frontier-controls [name=score]", "35")
    (useful,) = asked(home, f"select count(*) as n {models} and params_b < 10 and score >= 35")
    shown.page.wait_for_function(
        "n => document.getElementById('frontier-count').textContent.startsWith(n)", arg=f"{useful['n']:,} of"
    )


@needs_states
def test_the_six_questions_are_answered_with_the_claims(home: Home, opened: Open) -> None:
    shown = opened(home.report_page)
    rows = shown.page.locator(".questions tbody tr").all_inner_texts()
    assert len(rows) == 6
    claims = "select claim_id, verdict, effect from marts.mart_study_claims where as_of = '2025-01-09'"
    for claim in asked(home, f"{claims} and claim_id >= 'c'"):
        number = {"c": 2, "d": 3, "e": 3, "f": 4, "g": 5, "h": 5}[claim["claim_id"]]
        assert formats.number(claim["effect"]) in rows[number]
        assert claim["verdict"] in rows[number]


def test_a_scenario_follows_grid_and_site(home: Home, opened: Open) -> None:
    shown = opened(home.report_page)
    form, said = shown.page.locator("#scenarios-controls"), shown.page.locator("#scenarios-count")
    form.locator("[name=scenario]").select_option("India")
    chosen = form.locator("[name=of]").input_value().split("\n")
    (row,) = [
        row
        for row in shown.rows("scenarios")
        if [row["basis"], row["comparability_key"], row["model"]] == chosen and row["scenario"] == "India"
    ]
    shown.page.wait_for_function(
        "words => document.getElementById('scenarios-count').textContent.includes(words)",
        arg=formats.mass(row["emissions_kg"]),
    )
    form.locator("[name=grid]").fill("100")
    form.locator("[name=pue]").fill("1.2")
    expected = formats.mass(row["energy_kwh"] * 1.2 * 100 / 1000)
    shown.page.wait_for_function(
        "words => document.getElementById('scenarios-count').textContent.includes(words)", arg=expected
    )
    assert expected in shown.page.locator("#scenarios-list tr", has_text="as chosen").inner_text()
    assert form.locator("[name=scenario]").input_value() == "as chosen"
    form.locator("[name=pue]").fill("")
    shown.page.wait_for_function("document.getElementById('scenarios-count').textContent.startsWith('Enter a grid')")
    assert said.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(home: Home, opened: Open, scheme: str) -> None:
    shown = opened(home.report_page, scheme=scheme)
    shown.all_drawn()
    shown.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    results = Axe().run(shown.page)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("width", [360, 1600])
def test_nothing_is_wider_than_the_page(home: Home, opened: Open, width: int) -> None:
    shown = opened(home.report_page, width=width)
    shown.all_drawn()
    shown.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= width


# How the page stands when the browser lays out the paper: after the page's own listener, before anything asynchronous.
PRINTED = """addEventListener("beforeprint", () => {
  window.printed = [...document.querySelectorAll(".chart")].map((place) => ({
    id: place.id,
    nothing: place.querySelector(".nothing") !== null,
    marks: place.querySelectorAll("svg .role-mark :is(path, line, text)").length,
    width: Number(place.querySelector("svg")?.getAttribute("width")),
    ink: place.querySelector("svg .role-axis-label text")?.getAttribute("fill"),
  }));
})"""
A4_PIXELS = 695  # 210 mm less the margins of 13 mm, at 96 pixels per inch
LIGHT_INK = "rgb(27, 34, 38)"


def test_charts_print_unseen_from_a_dark_page(home: Home, opened: Open) -> None:
    shown = opened(home.report_page, scheme="dark")
    shown.page.evaluate(PRINTED)
    shown.page.pdf(format="A4")
    printed = [chart for chart in shown.page.evaluate("printed") if not chart["nothing"]]
    assert len(printed) >= (11 if REAL else 4)
    for chart in printed:
        assert chart["marks"], chart
        assert 600 < chart["width"] <= A4_PIXELS, chart
        assert chart["ink"] == LIGHT_INK, chart
    shown.all_drawn()
    shown.page.wait_for_function("!document.querySelector('details[open], .chart svg')")


def test_nothing_is_wider_than_the_paper(home: Home, opened: Open) -> None:
    shown = opened(home.report_page, width=A4_PIXELS)
    shown.page.emulate_media(media="print")
    shown.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert shown.page.locator("details[open]").count() > 11
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= A4_PIXELS


def test_paper_names_what_was_chosen(home: Home, opened: Open) -> None:
    shown = opened(home.report_page, width=A4_PIXELS)
    shown.page.emulate_media(media="print")
    for name in ("evidence", "family"):
        assert shown.page.locator(f"#frontier-controls [name={name}]").is_visible()
    assert not shown.page.locator("#frontier-controls [name=score]").is_visible()  # nothing is asked of the score
    assert shown.page.locator("select#state").is_visible() == bool(REAL)
    assert not shown.page.locator("nav").is_visible()
    shown.page.emulate_media(media="screen")
    shown.page.fill("#frontier-controls [name=score]", "35")
    shown.page.emulate_media(media="print")
    assert shown.page.locator("#frontier-controls [name=score]").is_visible()


def test_a_table_says_how_many_rows_there_are_to_scroll_through(home: Home, opened: Open) -> None:
    shown = opened(home.report_page)
    counted = 0
    for table in shown.page.locator("table:has(caption .rows)").all():
        if table.locator("xpath=ancestor::*[contains(@class, 'list')]").count():
            continue  # shows some rows at a time
        rows = table.locator("tbody tr:visible").count()
        assert table.locator("caption .rows").inner_text() == f"({rows} row{'' if rows == 1 else 's'})"
        counted += 1
    assert counted >= 3
    number = shown.page.locator("#models caption .rows").inner_text().split()[-2].strip("(")
    assert shown.page.locator("#frontier-count").inner_text().startswith(f"{number} of")
    claims = shown.page.locator("#claims table caption .rows")
    assert claims.inner_text() == "(8 rows)"
    shown.page.fill("#claims .filter input", "Qwen2: base models")
    assert claims.inner_text() == "(1 row)"


@needs_states
def test_rows_are_counted_again_in_another_state(home: Home, opened: Open) -> None:
    shown = opened(home.report_page)
    shown.page.select_option("#frontier-controls [name=evidence]", "leaderboard_per_run")
    shown.page.select_option("#state", shown.page.locator("#state option").last.get_attribute("value"))
    families = shown.page.locator("#fine-tunes .scroll", has_text="Fine-tunes against their family's base")
    rows = families.locator("tbody tr:visible").count()
    assert families.locator("caption .rows").inner_text() == f"({rows} rows)"
    (models,) = asked(
        home,
        "select count(*) as n from marts.mart_model_efficiency where basis = 'leaderboard_per_run' "
        "and as_of = (select max(as_of) from marts.fct_leaderboard_evaluations)",
    )
    assert shown.page.locator("#models caption .rows").inner_text() == f"(12 of {models['n']:,} rows)"


def test_few_own_models_are_points_and_no_box(home: Home, opened: Open) -> None:
    shown = opened(home.report_page)
    shown.all_drawn()
    assert not shown.drawn("own-sizes", "boxes")
    models = shown.drawn("own-sizes", "models")
    key = models[0]["row"]["comparability_key"]
    (expected,) = asked(
        home,
        "select count(*) as n from marts.mart_model_efficiency where basis = 'measured' and is_current "
        "and emissions_kg is not null and bucket is not null and params_b is not null and score is not null "
        f"and comparability_key = '{key}'",
    )
    assert len(models) == expected["n"]
    enough = shown.ask(
        "comparisons.js",
        "({ ownSizes, ownSizesChart }) => ownSizesChart(ownSizes().map((row) => ({ ...row, n: 5 }))).data",
    )
    assert enough["boxes"]
    assert not enough["models"]


def test_a_pairs_verdicts_stand_beside_its_task(home: Home, opened: Open) -> None:
    shown = opened(home.report_page)
    heads = shown.page.locator("#pairs thead th").all_inner_texts()
    verdict, ratio = "Energy per correct answer is", "Energy per correct answer"
    assert heads[:6] == ["Fine-tune", "Base", "Task", verdict, ratio, "Score is"]
    first = shown.page.locator("#pairs tbody tr").first
    cells, why = first.locator("td").all_inner_texts(), first.locator("details")
    reason = str(why.text_content()).removeprefix("Why")
    (row,) = asked(
        home,
        "select verdict, joules_per_correct_ratio from marts.mart_base_vs_finetuned_deltas where basis = 'measured' "
        f"and scope = 'suite' and finetuned_model_id = '{cells[0]}' and 'all of ' || suite = '{cells[2]}' "
        f"and verdict_reason = '{reason.replace(chr(39), chr(39) * 2)}'",
    )
    assert cells[3].startswith(row["verdict"])
    assert cells[4].startswith(formats.ratio(row["joules_per_correct_ratio"]))


def test_verbosity_is_drawn_of_the_evidence_that_is_chosen(home: Home, opened: Open) -> None:
    shown = opened(home.report_page)
    chart = shown.page.locator("#verbosity-chart")
    chart.scroll_into_view_if_needed()
    evidence = shown.page.locator("#verbosity-controls [name=evidence]")
    keys = evidence.evaluate("select => [...select.options].map((option) => option.value)")
    assert len(keys) > 1
    for number, key in enumerate(keys[::-1], start=2):
        shown.page.wait_for_function(f"document.getElementById('verbosity-chart').dataset.drawn === '{number - 1}'")
        evidence.select_option(key)
        shown.page.wait_for_function(f"document.getElementById('verbosity-chart').dataset.drawn === '{number}'")
        assert {point["row"]["comparability_key"] for point in shown.drawn("verbosity", "words")} == {key}


def test_own_energies_without_an_interval_say_what_gives_one(home: Home, opened: Open) -> None:
    shown = opened(home.report_page)
    count = shown.page.locator("#frontier-count")
    keys = {row["comparability_key"]: False for row in shown.rows("own_models")}
    keys |= {row["comparability_key"]: True for row in shown.rows("own_models") if row["energy_kwh_low"] is not None}
    assert set(keys.values()) == {True, False}
    for key, has_interval in keys.items():
        shown.page.select_option("#frontier-controls [name=evidence]", key)
        shown.page.wait_for_function(
            "n => document.getElementById('frontier-count').textContent.startsWith(n)",
            arg=f"{sum(row['comparability_key'] == key for row in shown.rows('own_models'))} of",
        )
        assert ("--until-precise" in count.inner_text()) == (not has_interval)


def test_tables_sort_by_keyboard_and_what_is_not_known_comes_last(home: Home, opened: Open) -> None:
    shown = opened(home.report_page)
    head = shown.page.locator("#nights th").filter(has_text="Inference")
    energies = [row["inference_kwh"] for row in shown.rows("nights")]
    head.get_by_role("button").focus()
    for direction in ("descending", "ascending"):
        shown.page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == direction
        column = head.evaluate("cell => cell.cellIndex")
        cells = shown.page.locator("#nights tbody tr").evaluate_all(
            f"rows => rows.map(row => row.cells[{column}].textContent.trim())"
        )
        known = sorted((e for e in energies if e is not None), reverse=direction == "descending")
        assert cells == [formats.energy(e) for e in known] + ["not known"] * energies.count(None)


def test_the_first_stop_skips_to_the_content(home: Home, opened: Open) -> None:
    shown = opened(home.report_page)
    shown.page.keyboard.press("Tab")
    assert shown.page.evaluate("document.activeElement.textContent") == "Skip to content"


def test_a_query_is_copied_as_it_is(home: Home, opened: Open) -> None:
    shown = opened(home.report_page)
    shown.page.locator("#nights .source summary").click()
    shown.page.locator("#nights .copy").click()
    shown.page.wait_for_function("document.getElementById('said').textContent === 'Copied'")
    assert shown.page.evaluate("navigator.clipboard.readText()") == queries.text("nights")


def test_the_switch_turns_light_to_dark_and_draws_again(home: Home, opened: Open) -> None:
    shown = opened(home.report_page)
    chart = shown.page.locator("#nights-chart")
    chart.scroll_into_view_if_needed()
    shown.page.wait_for_function("document.getElementById('nights-chart').dataset.drawn === '1'")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = shown.page.evaluate(colour)
    shown.page.get_by_role("button", name="Dark").click()
    assert shown.page.evaluate(colour) != light
    shown.page.wait_for_function("document.getElementById('nights-chart').dataset.drawn === '2'")


@needs_states
def test_the_page_stays_small(home: Home) -> None:
    assert home.report_page.stat().st_size < 5_000_000


def test_script_and_page_have_one_way_to_write_figures(home: Home, opened: Open) -> None:
    shown = opened(home.report_page)
    values = [0.0, -0.5, -1234.5, 1e-9, 2.5e-7, 0.000719, 0.0012, 0.34534, 1.0, 12.34, 99.99, 1234.5, 2742.0, 29495.4]
    for name, form in (
        ("energy", formats.energy),
        ("mass", formats.mass),
        ("joules", formats.joules),
        ("ratio", formats.ratio),
        ("figure", formats.number),
    ):
        written = shown.ask("formats.js", f"(formats, values) => values.map(formats.{name})", values)
        assert written == list(map(form, values)), name


def test_an_empty_and_a_hostile_page_work_too(homes: dict[str, Home], opened: Open, tmp_path: Path) -> None:
    hostile = "</script><img src=x onerror=\"document.title = 'taken'\">"
    with duckdb.connect(homes["second"].published / MARTS_FILE, read_only=True) as connection:
        answers = queries.ask(connection)
    nothing = {name: replace(answer, rows=()) for name, answer in answers.items()}
    shown = opened(page.write(page.render(nothing), tmp_path / "nothing"), width=360)
    assert "evalwatt run" in shown.page.locator("h1").inner_text()
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 360
    models = answers["own_models"]
    column = models.columns.index("model")
    renamed = replace(models, rows=tuple((*row[:column], hostile, *row[column + 1 :]) for row in models.rows))
    shown = opened(page.write(page.render(answers | {"own_models": renamed}), tmp_path / "hostile"))
    shown.all_drawn()
    assert shown.page.locator("#models td", has_text=hostile).first.is_visible()
    assert shown.page.title() != "taken"


def test_what_is_known_is_drawn_and_what_is_missing_is_named(
    doubtful_night: tuple[Home, list[str]], tmp_path: Path, opened: Open
) -> None:
    home, _ = doubtful_night
    shown = opened(report.write(home.marts, tmp_path))
    evidence = shown.page.locator("#frontier-controls [name=evidence]")
    evidence.select_option(label="Your evaluations: mini, m1, bfloat16")
    shown.all_drawn()
    assert "833\u00a0mWh without late, odd" in shown.page.locator("#models tr", has_text="base").last.inner_text()
    took = sum(row["energy_known_kwh"] for row in shown.rows("nights") if row["machine"] == "m1")
    assert isclose(sum(bar["kwh"] for bar in shown.drawn("nights", "bars")), took, rel_tol=1e-5)
    assert sorted(pair["row"]["scope"] for pair in shown.drawn("arrows", "pairs")) == ["known_tasks", "task", "task"]
    suite, known, *_ = shown.page.locator("#pairs tbody tr").all_inner_texts()
    assert "all of mini" in suite
    assert "2 of 4 tasks of mini: gen, mc" in known
    # No model here has an energy of all components: an empty frame says of each what there is.
    evidence.select_option(label="Your evaluations: mini, g1, bfloat16")
    nothing = shown.page.locator("#frontier-chart .nothing")
    nothing.wait_for()
    assert "large: gen: flagged foreign_load; mc: flagged foreign_load" in nothing.inner_text()
    assert "90\u00a0J (GPU alone)" in shown.page.locator("#models tr", has_text="large").inner_text()


def test_parts_are_hollow_and_ranked_nowhere(stopped_night: StoppedNight, tmp_path: Path, opened: Open) -> None:
    home, _ = stopped_night
    shown = opened(report.write(home.marts, tmp_path))
    shown.all_drawn()
    holds_what_its_queries_give(shown, home, ("asked", "finetunes", "own_models"))
    differences = shown.drawn("asked", "differences")
    assert {(each["question"], each["fill"] == each["colour"]) for each in differences} == {
        ("tuned\nmc", False),
        ("tuned\ngen", True),
        ("tuned\nall of whole", False),
    }
    bars = shown.page.locator("#asked .share").evaluate_all(
        "bars => bars.map((bar) => bar.firstElementChild.offsetWidth / bar.clientWidth)"
    )
    rows = shown.page.locator("#asked tbody tr").all_inner_texts()
    shares = [row["documents_asked"] / row["documents_total"] for row in shown.rows("asked")]
    assert bars == pytest.approx(shares, abs=0.02)
    assert [sum(model in row for row in rows) for model in ("tuned", "lone")] == [6, 1]
    # What ranks has only what was asked completely.
    assert {row["model"] for row in shown.rows("own_models") if row["score"] is not None} == {"base"}
    assert {row["model"] for row in shown.rows("own_models") if row["on_frontier"] is not None} == {"base"}
    for name in ("own_models", "finetunes"):
        assert not [row for row in shown.rows(name) if row["comparability_key"].endswith("asked=part")], name
    assert {pair["row"]["tasks_compared"] for pair in shown.drawn("arrows", "pairs")} == {"gen"}
    assert not shown.page.locator("#models", has_text="lone").count()
    sentence = "On such questions it scores 2.0 to 14.0 points less (95\u00a0%)."
    (claimed,) = [row for row in rows if sentence in row]
    assert "80 of 200" in claimed
    assert "With all 200 documents asked it would have 4.0 to 10.0 points less (95\u00a0%)." in claimed
    shown.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    results = Axe().run(shown.page)
    assert results.violations_count == 0, results.generate_report()
