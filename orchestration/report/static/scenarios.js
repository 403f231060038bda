// The same energy on other grids and sites.

import { chart, redraw } from "./charts.js";
import { BASES, CHOSEN_COLOURS, LEADERBOARD_GRID, MASS, MEASURED, NOT_KNOWN } from "./constants.js";
import { fill, startForm } from "./controls.js";
import { showKey } from "./elements.js";
import { energy, figure, mass, oneUnit } from "./formats.js";
import { distinct } from "./lists.js";
import { keyPart, rows } from "./rows.js";
import { longTable } from "./tables.js";

const CHOSEN = "as chosen"; // a scenario that no row has

let form = null;
let shown = []; // the scenarios of the subject
let chosen = null; // the scenario in the form; null if its input is invalid
let show = null; // fills the table

export function startScenarios() {
  form = startForm("scenarios", update);
  if (!form) return;
  const subjects = new Map(rows("scenarios").map((row) => [subject(row), row]));
  const options = [...subjects].map(([key, row]) => [key, subjectName(row)]);
  fill(form.elements.of, options, options.at(-1)[0]);
  const grids = distinct(rows("scenarios").map((row) => row.scenario));
  const first = grids.includes(LEADERBOARD_GRID) ? LEADERBOARD_GRID : grids[0];
  fill(
    form.elements.scenario,
    [...grids, CHOSEN].map((grid) => [grid, grid]),
    first,
  );
  form.elements.scenario.addEventListener("input", fromScenario);
  show = longTable(document.getElementById("scenarios-list"), "Emissions by scenario", COLUMNS);
  chart(
    "scenarios",
    scenariosChart,
    () => `The energy is not known: ${shown[0]?.missing_reason ?? "no reason given"}.`,
  );
  fromScenario();
  update();
}

const subject = (row) => `${row.basis}\n${row.comparability_key}\n${row.model}`;

function subjectName(row) {
  if (row.basis !== MEASURED) return `${BASES[row.basis]}, ${row.as_of}: ${row.model}`;
  return `${row.model} (${row.suite}, ${keyPart(row.comparability_key, "machine")})`;
}

function number(title, name, text = (row) => figure(row[name])) {
  return { title, number: true, text, value: (row) => row[name] };
}

const orReason = (value, text, row) => (value === null ? `${NOT_KNOWN}: ${row.missing_reason}` : text(value));

const COLUMNS = [
  { title: "Scenario", text: (row) => row.scenario, value: (row) => row.scenario },
  number("g per kWh", "grid_intensity_g_per_kwh"),
  number("PUE", "pue"),
  number("Models", "models"),
  number("Energy", "energy_kwh", (row) => orReason(row.energy_kwh, energy, row)),
  number("CO₂e", "emissions_kg", (row) => orReason(row.emissions_kg, mass, row)),
];

function fromScenario() {
  const { scenario, grid, pue } = form.elements;
  if (scenario.value === CHOSEN) return;
  const row = rows("scenarios").find((each) => each.scenario === scenario.value);
  grid.value = row.grid_intensity_g_per_kwh;
  pue.value = row.pue;
}

function update() {
  const { of, scenario } = form.elements;
  const held = rows("scenarios").filter((row) => subject(row) === of.value);
  const site = chosenSite();
  const same = held.find(
    (row) =>
      row.scenario === scenario.value &&
      row.grid_intensity_g_per_kwh === site?.grid_intensity_g_per_kwh &&
      row.pue === site?.pue,
  );
  chosen = same ?? (site && elsewhere(held[0], site));
  shown = same || !chosen ? held : [chosen, ...held];
  if (chosen) scenario.value = chosen.scenario;
  document.getElementById("scenarios-count").textContent = summary();
  show(shown);
  redraw("scenarios");
}

// The grid and site in the form, or null if they are invalid.
function chosenSite() {
  const { grid, pue } = form.elements;
  const site = { grid_intensity_g_per_kwh: Number(grid.value), pue: Number(pue.value) };
  const isValid = grid.value !== "" && pue.value !== "" && site.grid_intensity_g_per_kwh >= 0 && site.pue >= 1;
  return isValid ? site : null;
}

function elsewhere(row, site) {
  const grams = row.energy_kwh * site.pue * site.grid_intensity_g_per_kwh;
  return { ...row, ...site, scenario: CHOSEN, emissions_kg: row.energy_kwh === null ? null : grams / 1000 };
}

function summary() {
  if (!chosen) return "Enter a grid of at least 0 g per kWh and a PUE of at least 1.";
  if (chosen.energy_kwh === null) return `${NOT_KNOWN}: ${chosen.missing_reason}`;
  const site = `${figure(chosen.grid_intensity_g_per_kwh)} g per kWh and a PUE of ${figure(chosen.pue)}`;
  return `${energy(chosen.energy_kwh)} at ${site}: ${mass(chosen.emissions_kg)} of CO₂e.`;
}

function scenariosChart() {
  const known = shown.filter((row) => row.emissions_kg !== null);
  if (!known.length) return null;
  showKey("scenarios", Object.entries(CHOSEN_COLOURS));
  const bars = known.map((row) => ({
    row,
    scenario: row.scenario,
    kg: row.emissions_kg,
    label: mass(row.emissions_kg),
    colour: row === chosen ? CHOSEN_COLOURS.chosen : CHOSEN_COLOURS.others,
  }));
  return {
    data: { bars },
    words: oneUnit("mass", MASS, Math.max(...known.map((row) => row.emissions_kg))),
    tip: ({ row }) => [
      row.scenario,
      [
        ["Grid", `${figure(row.grid_intensity_g_per_kwh)} g per kWh`],
        ["PUE", figure(row.pue)],
        ["CO₂e", mass(row.emissions_kg)],
      ],
    ],
  };
}
