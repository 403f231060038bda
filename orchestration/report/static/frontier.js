// Score against energy: the models of one basis, and those that no other beats.

import { chart, redraw } from "./charts.js";
import { NAMEPLATE, NOT_KNOWN, NO_INTERVALS, OTHER, PER_RUN, SMALL } from "./constants.js";
import { choices, fill, matches, refill, startForm } from "./controls.js";
import { showKey } from "./elements.js";
import { evidences, isOwn } from "./evidence.js";
import { counted, energy, figure, interval, joules, mass, points } from "./formats.js";
import { distinct } from "./lists.js";
import { palette } from "./palette.js";
import { buckets, rows, state } from "./rows.js";
import { longTable } from "./tables.js";

let form = null;
let models = []; // of the chosen basis
let shown = []; // those that pass the filters
let colours = new Map(); // of families
let show = null; // fills the table

export function startFrontier() {
  form = startForm("frontier", update, startFilters);
  if (!form) return;
  const options = evidences("own_models");
  fill(form.elements.evidence, options, firstOf(options.map(([evidence]) => evidence)));
  chart("frontier", frontierChart, nothingDrawn);
  showFrontier();
}

// Two points do not make a frontier: prefer the leaderboard as long as few models are evaluated here.
function firstOf(evidence) {
  const rich = evidence.find((each) => isOwn(each) && modelsOf(each).length > 2);
  return rich ?? evidence.find((each) => !isOwn(each)) ?? evidence[0];
}

function nothingDrawn() {
  const why = shown.map((row) => `${row.model}: ${partOfEnergy(row) ?? row.missing_reason ?? NOT_KNOWN}`);
  return `No model has both figures. ${why.join("; ")}.`;
}

// For the chosen state of the leaderboard.
export function showFrontier() {
  if (!form) return;
  startFilters();
  update();
}

function modelsOf(evidence) {
  const own = isOwn(evidence);
  const found = own
    ? rows("own_models").filter((row) => row.comparability_key === evidence)
    : rows("leaderboard_models").filter((row) => row.basis === evidence && row.as_of === state());
  return found.map((row) => ({
    ...row,
    cost: own ? row.energy_kwh : row.emissions_kg,
    points_per_kwh: row.score === null || !row.energy_kwh ? null : row.score / row.energy_kwh,
  }));
}

// What is known if not all tasks have an energy.
function partOfEnergy(row) {
  if ((row.energy_known_kwh ?? null) === null) return null;
  return `${energy(row.energy_known_kwh)} without ${row.tasks_without_energy} (${row.missing_reason})`;
}

// ------------------------------------------------------------------------------------------------------------- filters

// Most people look for small models, which are not a size class. SMALL is null if no claim defines it.
const BELOW_SMALL = `below ${SMALL} B`;

function isOfSize(chosen, row) {
  return chosen === BELOW_SMALL ? row.params_b !== null && row.params_b < SMALL : matches(chosen, row.bucket);
}

function startFilters() {
  const { evidence, family, bucket, kind, provider } = form.elements;
  models = modelsOf(evidence.value);
  colours = palette(models.map((row) => row.family));
  const order = buckets();
  const sizes = choices(models, "bucket").toSorted((a, b) => order.indexOf(a) - order.indexOf(b));
  refill(family, choices(models, "family"));
  refill(bucket, SMALL === null ? sizes : [...sizes, BELOW_SMALL]);
  refill(kind, choices(models, "kind"));
  refill(provider, choices(models, "provider"));
  const columns = isOwn(evidence.value) ? ownColumns() : listedColumns();
  show = longTable(document.getElementById("models"), "Models, those on the frontier first", columns);
}

function update() {
  const { family, bucket, kind, provider, score, name } = form.elements;
  const least = score.value === "" ? null : Number(score.value);
  const word = name.value.trim().toLowerCase();
  shown = models.filter(
    (row) =>
      matches(family.value, row.family) &&
      isOfSize(bucket.value, row) &&
      matches(kind.value, row.kind) &&
      matches(provider.value, row.provider) &&
      (least === null || (row.score !== null && row.score >= least)) &&
      row.model.toLowerCase().includes(word),
  );
  document.getElementById("frontier-count").textContent = summary();
  show([...shown.filter(isOnIt), ...shown.filter((row) => !isOnIt(row))]);
  redraw("frontier");
}

const isOnIt = (row) => row.on_frontier === true;

function summary() {
  const without = shown.filter((row) => row.cost === null || row.score === null);
  const reasons = distinct(without.map((row) => row.missing_reason ?? NOT_KNOWN)).join("; ");
  const of = `${counted(shown.length)} of ${counted(models.length)} models`;
  const missing = without.length ? `; ${without.length} without a figure, not in the chart (${reasons})` : "";
  return `${of}, ${shown.filter(isOnIt).length} on the frontier of all models${missing}.${withoutInterval()}`;
}

// What your energies lack without repetitions.
function withoutInterval() {
  if (!isOwn(form.elements.evidence.value) || models.some((row) => row.energy_kwh_low !== null)) return "";
  return ` ${NO_INTERVALS}`;
}

// --------------------------------------------------------------------------------------------------------------- table

function plain(title, name) {
  return { title, text: (row) => row[name] ?? NOT_KNOWN, value: (row) => row[name] };
}

function number(title, name, text) {
  return { title, number: true, text, value: (row) => row[name] };
}

function ownColumns() {
  return [
    ...firstColumns(),
    number("Energy", "cost", (row) => {
      if (row.cost === null) return partOfEnergy(row) ?? `${NOT_KNOWN}: ${row.missing_reason}`;
      return energy(row.cost) + interval(row.energy_kwh_low, row.energy_kwh_high, energy);
    }),
    number("Points per kWh", "points_per_kwh", (row) => figure(row.points_per_kwh)),
    number("J per correct answer", "joules_per_correct", perCorrect),
    number("Tokens per answer", "tokens_out_per_request", (row) => figure(row.tokens_out_per_request)),
    plain("Energy obtained by", "energy_method"),
    ...lastColumns(),
  ];
}

function listedColumns() {
  return [
    ...firstColumns(),
    number("CO₂e", "cost", (row) => (row.cost === null ? `${NOT_KNOWN}: ${row.missing_reason}` : mass(row.cost))),
    number("Energy", "energy_kwh", (row) => energy(row.energy_kwh)),
    number("Points per kWh", "points_per_kwh", (row) => figure(row.points_per_kwh)),
    ...lastColumns(),
  ];
}

function firstColumns() {
  return [
    plain("Model", "model"),
    number("Score", "score", (row) => {
      if (row.score === null) return row.missing_reason ?? NOT_KNOWN;
      return points(row.score) + interval(row.score_low, row.score_high, points);
    }),
  ];
}

function lastColumns() {
  return [
    { title: "Beaten by, of all models", text: beatenBy, value: (row) => (isOnIt(row) ? "" : row.dominated_by) },
    number("Parameters, B", "params_b", (row) => figure(row.params_b)),
    plain("Family", "family"),
    plain("Kind", "kind"),
    plain("Provider", "provider"),
  ];
}

const beatenBy = (row) => (isOnIt(row) ? "none: on the frontier" : (row.dominated_by ?? ""));

function perCorrect(row) {
  if (row.joules_per_correct !== null) return joules(row.joules_per_correct);
  if (row.joules_per_correct_gpu !== null) return `${joules(row.joules_per_correct_gpu)} (GPU alone)`;
  return row.joules_per_correct_reason ?? row.missing_reason;
}

// --------------------------------------------------------------------------------------------------------------- chart

const FEW = 12; // names of all models fit
const SOME = 50; // larger points fit
const MANY = 300; // points overlap

// Square pixels.
const area = (paramsB, base) => base + 4.8 * Math.min(paramsB ?? 0, 100);

function frontierChart() {
  const { value: evidence } = form.elements.evidence;
  const own = isOwn(evidence);
  const known = shown.filter((row) => row.cost !== null && row.score !== null && row.cost > 0);
  if (!known.length) return null;
  const frontier = models.filter(isOnIt);
  const steps = frontier.map((row) => ({
    x: row.cost,
    y: row.score,
    name: row.model.split("/").at(-1),
    model: row.model,
  }));
  const colourOf = (row) => colours.get(row.family) ?? OTHER;
  const data = known.map((row) => ({
    row,
    x: row.cost,
    y: row.score,
    low: row.score_low ?? null,
    high: row.score_high ?? null,
    xlow: row.energy_kwh_low ?? null,
    xhigh: row.energy_kwh_high ?? null,
    area: area(row.params_b, known.length < SOME ? 70 : 18),
    colour: colourOf(row),
    opacity: opacity(row, known.length),
    order: colourOf(row) === OTHER ? 0 : 1,
  }));
  const others = known.some((row) => colourOf(row) === OTHER) ? [["other or unknown families", OTHER]] : [];
  const line = steps.length > 1 ? "; line: the frontier of all models" : "";
  showKey("frontier", [...colours, ...others, [`area: parameters${line}`]]);
  return {
    data: { points: data, steps },
    words: { "cost(": own ? "energy(" : "mass(", "{cost}": axisTitle(evidence, known) },
    names:
      own && known.length < FEW
        ? data.map(({ x, y, row }) => ({ x, y, name: row.model }))
        : steps.toSorted((a, b) => b.y - a.y),
    tip: ({ row }) => [row.model, own ? ownFacts(row) : listedFacts(row)],
  };
}

function opacity(row, count) {
  if (count <= MANY) return 0.9;
  return isOnIt(row) ? 1 : 0.5;
}

function axisTitle(evidence, known) {
  if (isOwn(evidence)) return ["Energy of one evaluation", distinct(known.map((row) => row.energy_method)).join("; ")];
  return [`CO₂e of ${evidence === PER_RUN ? "one evaluation" : "all evaluations, as published"}`, NAMEPLATE];
}

function ownFacts(row) {
  return [
    ["Score", points(row.score)],
    ["Energy", energy(row.cost)],
    ["CO₂e", mass(row.emissions_kg)],
    ["Energy obtained by", row.energy_method],
    ...facts(row),
    ["J per correct answer", joules(row.joules_per_correct)],
    ["Frontier", place(row)],
  ];
}

function listedFacts(row) {
  return [
    ["Score", points(row.score)],
    ["CO₂e", mass(row.cost)],
    ["Energy", energy(row.energy_kwh)],
    ["Energy obtained by", NAMEPLATE],
    ...facts(row),
    ["Frontier", place(row)],
  ];
}

function facts(row) {
  return [
    ["Parameters", row.params_b === null ? NOT_KNOWN : `${figure(row.params_b)} B`],
    ["Family", row.family ?? NOT_KNOWN],
    ["Kind", `${row.kind}, ${row.provider}`],
  ];
}

const place = (row) => (isOnIt(row) ? "on it" : `beaten by ${row.dominated_by ?? NOT_KNOWN}`);
