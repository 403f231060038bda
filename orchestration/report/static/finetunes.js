// Base against fine-tuned, pair by pair.

import { chart, redraw } from "./charts.js";
import { FAMILY_CHARTS, INK, KNOWN_TASKS, NOT_KNOWN, OTHER, SUITE } from "./constants.js";
import { ANY, choices, fill, matches, refill, startForm } from "./controls.js";
import { showKey } from "./elements.js";
import { evidences, isOwn } from "./evidence.js";
import { energy, figure, gained, interval, points, range, ratio } from "./formats.js";
import { compare, distinct } from "./lists.js";
import { palette } from "./palette.js";
import { rows, state } from "./rows.js";
import { longTable } from "./tables.js";

let form = null;
let pairs = []; // of the chosen basis
let shown = []; // those that pass the filters
let show = null; // fills the table

export function startPairs() {
  form = startForm("pairs", update, startFilters);
  if (!form) return;
  const options = evidences("finetunes");
  fill(form.elements.evidence, options, options[0][0]);
  chart("arrows", arrowsChart, nothingDrawn);
  showPairs();
}

const reasons = (without) => distinct(without.map((row) => row.verdict_reason)).join("; ");

const nothingDrawn = () => `None of these pairs has both figures (${reasons(shown)}).`;

// For the chosen state of the leaderboard.
export function showPairs() {
  if (!form) return;
  startFilters();
  update();
}

// All tasks of a suite, or those with known energies on both sides; both come before single tasks.
const WHOLE = [SUITE, KNOWN_TASKS];
const isWhole = (row) => WHOLE.includes(row.scope);
const place = (row) => (isWhole(row) ? WHOLE.indexOf(row.scope) : WHOLE.length);

function tasksOf(row) {
  if (!isWhole(row)) return row.task;
  return row.scope === SUITE
    ? `all of ${row.suite}`
    : `${row.tasks_paired} of ${row.tasks_planned} tasks of ${row.suite}`;
}

// ------------------------------------------------------------------------------------------------------------- filters

// The study's first size class.
const [FIRST_CLASS] = Object.values(FAMILY_CHARTS);

const firstNumber = (text) => Number(text.match(/\d+/));

function startFilters() {
  const { evidence, family, size_class: sizeClass, kind } = form.elements;
  const own = isOwn(evidence.value);
  pairs = rows("finetunes").filter((row) =>
    own ? row.comparability_key === evidence.value : row.basis === evidence.value && row.as_of === state(),
  );
  const classes = choices(pairs, "size_class").toSorted((a, b) => compare(firstNumber(a), firstNumber(b)));
  refill(family, choices(pairs, "family"));
  refill(sizeClass, classes, !own && classes.includes(FIRST_CLASS) ? FIRST_CLASS : ANY);
  refill(kind, choices(pairs, "kind"));
  const columns = own ? ownColumns() : listedColumns();
  show = longTable(document.getElementById("pairs"), "Base and fine-tune, pair by pair", columns);
}

function update() {
  const { family, size_class: sizeClass, kind } = form.elements;
  shown = pairs.filter(
    (row) =>
      matches(family.value, row.family) && matches(sizeClass.value, row.size_class) && matches(kind.value, row.kind),
  );
  const without = shown.filter((row) => row.energy_ratio === null);
  const missing = without.length ? `; ${without.length} without both energies (${reasons(without)})` : "";
  document.getElementById("pairs-count").textContent = `${shown.length} of ${pairs.length} comparisons${missing}.`;
  show(shown.toSorted((a, b) => place(a) - place(b)));
  redraw("arrows");
}

// --------------------------------------------------------------------------------------------------------------- table

const plain = (title, text) => ({ title, text, value: text });

function times(title, name, reason) {
  const text = (row) => {
    if (row[name] === null) return NOT_KNOWN;
    const low = row[`${name}_low`];
    const why = row[reason] ? ` (no interval: ${row[reason]})` : "";
    return ratio(row[name]) + (low === null ? why : interval(low, row[`${name}_high`]));
  };
  return { title, number: true, text, value: (row) => row[name] };
}

const POINTS = {
  title: "Points",
  number: true,
  value: (row) => row.score_delta,
  text(row) {
    if (row.score_delta === null) return NOT_KNOWN;
    return gained(row.score_delta) + interval(row.score_delta_low, row.score_delta_high, points);
  },
};

const verdict = (title) => ({ ...plain(title, (row) => row.verdict), why: (row) => row.verdict_reason });

function ownColumns() {
  return [
    plain("Fine-tune", (row) => row.finetuned),
    plain("Base", (row) => row.base),
    plain("Task", (row) => (row.scope === KNOWN_TASKS ? `${tasksOf(row)}: ${row.tasks_compared}` : tasksOf(row))),
    verdict("Energy per correct answer is"),
    times("Energy per correct answer", "joules_per_correct_ratio", "energy_interval_reason"),
    plain("Score is", scoreVerdict),
    POINTS,
    times("Energy", "energy_ratio", "energy_interval_reason"),
    times("Tokens written", "tokens_out_ratio"),
    plain("Energy obtained by", (row) => row.energy_method),
  ];
}

function listedColumns() {
  return [
    plain("Fine-tune", (row) => row.finetuned),
    plain("Base", (row) => row.base),
    verdict("CO₂e is"),
    POINTS,
    times("Energy", "energy_ratio", "energy_interval_reason"),
    plain("Energy obtained by", (row) => row.energy_method),
  ];
}

function scoreVerdict(row) {
  const why = row.score_p_adjusted === null ? row.score_interval_reason : `p = ${figure(row.score_p_adjusted)}`;
  return `${row.score_verdict} (${why})`;
}

// --------------------------------------------------------------------------------------------------------------- chart

function arrowsChart() {
  const own = isOwn(form.elements.evidence.value);
  const known = shown.filter((row) => row.energy_ratio !== null && row.score_delta !== null);
  if (!known.length) return null;
  const group = own ? tasksOf : (row) => row.family;
  // all tasks together are drawn in ink, so that each task can have a colour
  const whole = known.filter(isWhole).map((row) => [group(row), INK]);
  const colours = new Map([...whole, ...palette(known.filter((row) => !isWhole(row)).map(group))]);
  const colourOf = (row) => colours.get(group(row)) ?? OTHER;
  const data = known.map((row) => ({
    row,
    ...ends(row),
    colour: colourOf(row),
    shape: "circle",
    width: isWhole(row) ? 3 : 1.3,
  }));
  showKey("arrows", [...colours, ...(known.some((row) => colourOf(row) === OTHER) ? [["other", OTHER]] : [])]);
  return {
    data: { pairs: data },
    names: own ? data.map(({ x2, y2, row }) => ({ x: x2, y: y2, name: group(row) })) : [],
    words: { "cost(": "energy(", "{cost}": ["Energy", distinct(known.map((row) => row.energy_method)).join("; ")] },
    tip: ({ row }) => [row.finetuned, facts(row, group(row))],
  };
}

// The start and end of an arrow, and the intervals at its end.
function ends(row) {
  const { base_score: score, base_energy_kwh: kwh } = row;
  return {
    x: kwh,
    y: score,
    x2: row.finetuned_energy_kwh,
    y2: row.finetuned_score,
    low: row.score_delta_low === null ? null : Math.max(0, score + row.score_delta_low),
    high: row.score_delta_high === null ? null : Math.min(100, score + row.score_delta_high),
    xlow: row.energy_ratio_low === null ? null : kwh * row.energy_ratio_low,
    xhigh: row.energy_ratio_high === null ? null : kwh * row.energy_ratio_high,
  };
}

function facts(row, of) {
  const energies = `${energy(row.base_energy_kwh)} → ${energy(row.finetuned_energy_kwh)}`;
  const verdicts = [
    ["Score is", row.score_verdict],
    ["Energy per correct answer is", row.verdict],
  ];
  return [
    ["Base", row.base],
    [isOwn(row.basis) ? "Task" : "Family", of],
    ["Tasks", row.scope === KNOWN_TASKS ? row.tasks_compared : ""],
    ["Points", gained(row.score_delta)],
    ["95 %", range(row.score_delta_low, row.score_delta_high, points)],
    ["Energy", `${energies}, ${ratio(row.energy_ratio)}`],
    ["95 %", range(row.energy_ratio_low, row.energy_ratio_high)],
    ["Energy obtained by", row.energy_method],
    ...(isOwn(row.basis) ? verdicts : [["CO₂e is", row.verdict]]),
  ];
}
