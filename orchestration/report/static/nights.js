// The energy of every night on a machine by phase, with the control workload's result.

import { chart, redraw } from "./charts.js";
import { CONTROL_MARKS, CONTROL_WORDS, ENERGY, PHASES } from "./constants.js";
import { fill, startForm } from "./controls.js";
import { showKey } from "./elements.js";
import { energy, oneUnit } from "./formats.js";
import { distinct } from "./lists.js";
import { rows } from "./rows.js";

export function startNights() {
  const form = startForm("nights", () => redraw("nights"));
  if (!form) return;
  const machines = distinct(rows("nights").map((row) => row.machine));
  fill(
    form.elements.machine,
    machines.map((machine) => [machine, machine]),
    rows("nights").at(-1).machine,
  );
  form.hidden = machines.length < 2;
  chart("nights", () => nightsChart(form.elements.machine.value), nothingDrawn);
}

const nothingDrawn = () => "No night of this machine has an energy; the table says why.";

function nightsChart(machine) {
  const found = rows("nights").filter((row) => row.machine === machine);
  const nights = distinct(found.map((row) => row.night)).map((night) => oneNight(night, found));
  const bars = nights.flatMap((night) => night.bars);
  if (!bars.length) return null;
  showKey("nights", [...Object.entries(PHASES), ...controlKey(found), ...evidenceKey(found)]);
  return {
    data: { bars, marks: nights.flatMap((night) => night.marks) },
    words: oneUnit("energy", ENERGY, Math.max(...nights.map((night) => night.top))),
    tip: ({ night, phase, kwh, models }) =>
      phase ? [`${night}: ${phase}`, phaseFacts(phase, kwh, models)] : [night, controlFacts(models)],
  };
}

// A bar of its phases whose energies are known, and the control's mark above it.
function oneNight(night, found) {
  const models = found.filter((row) => row.night === night);
  const known = models.filter((row) => row.energy_known_kwh !== null);
  const phases = known.length ? Object.entries(PHASES) : [];
  const bars = phases.map(([phase, colour], order) => {
    const kwh = known.reduce((sum, row) => sum + row[`${phase}_known_kwh`], 0);
    return { night, phase, order, kwh, colour, models };
  });
  const top = bars.reduce((sum, bar) => sum + bar.kwh, 0);
  const flag = models[0].control_flag;
  const mark = CONTROL_MARKS[flag];
  const marks = mark ? [{ night, y: top, flag, shape: mark.shape, colour: mark.colour, models }] : [];
  return { bars, marks, top };
}

function controlKey(found) {
  const flags = distinct(found.map((row) => row.control_flag));
  return flags.map((flag) => {
    const words = `control ${CONTROL_WORDS[flag]}`;
    return [flag in CONTROL_MARKS ? `${CONTROL_MARKS[flag].character} ${words}` : words];
  });
}

function evidenceKey(found) {
  const methods = distinct(found.map((row) => row.energy_methods)).filter(Boolean);
  const lacking = found.some((row) => row.energy_reason) ? ["windows without a trusted energy are left out"] : [];
  return [...methods, ...lacking].map((words) => [words]);
}

function phaseFacts(phase, kwh, models) {
  const of = (row) => {
    const missing = row[`${phase}_windows_without_energy`];
    return energy(row[`${phase}_known_kwh`]) + (missing ? `; windows without a figure: ${missing}` : "");
  };
  return [["Energy", energy(kwh)], ...models.map((row) => [row.model, of(row)])];
}

function controlFacts(models) {
  const reasons = models.filter((row) => row.energy_reason).map((row) => [row.model, row.energy_reason]);
  return [["Control", models[0].control_reason], ...reasons];
}
