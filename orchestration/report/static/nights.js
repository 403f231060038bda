// The nights, and the same energy on other grids.

const PHASES = { inference: "var(--c1)", scoring: "var(--c6)", warmup: "var(--c5)", load: "var(--c4)", idle: "var(--other)" };
const FLAGS = { steady: ["circle", "var(--c3)"], drifted: ["triangle-up", "var(--c2)"], learning: ["diamond", "var(--c5)"], "no figure": ["cross", "var(--muted)"] };
const FLAG_MARKS = { steady: "●", drifted: "▲", learning: "◆", "no figure": "✚" };

function startNights() {
  const form = startForm("nights", () => redraw("nights"));
  if (!form) return;
  const machines = distinct(rows("nights").map((row) => row.machine));
  fill(form.elements.machine, machines.map((machine) => [machine, machine]), rows("nights").at(-1).machine);
  form.hidden = machines.length < 2;
  chart("nights", () => nightsChart(form.elements.machine.value), "No night of this machine has an energy; the table says why.");
}

function nightsChart(machine) {
  const found = rows("nights").filter((row) => row.machine === machine);
  const bars = [], marks = [], tops = [];
  for (const night of distinct(found.map((row) => row.night))) {
    const models = found.filter((row) => row.night === night);
    const known = models.filter((row) => row.energy_known_kwh !== null);
    let top = 0;
    if (known.length) for (const [order, phase] of Object.keys(PHASES).entries()) {
      const kwh = known.reduce((sum, row) => sum + row[`${phase}_known_kwh`], 0);
      top += kwh;
      bars.push({ night, phase, order, kwh, colour: PHASES[phase], models });
    }
    tops.push(top);
    const flag = models[0].control_flag, [shape, colour] = FLAGS[flag] ?? ["", ""];
    if (shape) marks.push({ night, y: top, flag, shape, colour, models });
  }
  if (!bars.length) return null;
  const flags = distinct(found.map((row) => row.control_flag));
  showKey("nights", [...Object.entries(PHASES), ...flags.map((flag) => [flag === "no control" ? "control did not run" : `${FLAG_MARKS[flag]} control ${flag}`]),
    ...distinct(found.map((row) => row.energy_methods)).filter(Boolean).map((method) => [method]),
    ...(found.some((row) => row.energy_reason) ? [["what has no believable figure is left out"]] : [])]);
  return {
    data: { bars, marks }, words: oneUnit("energy", ENERGY, Math.max(...tops)),
    tip: ({ night, phase, kwh, models }) => [phase ? `${night}: ${phase}` : night, phase ? [["Energy", energy(kwh)], ...models.map((row) => [row.model, energy(row[`${phase}_known_kwh`]) + (row[`${phase}_windows_without_energy`] ? `; windows without a figure: ${row[`${phase}_windows_without_energy`]}` : "")])]
      : [["Control", models[0].control_reason], ...models.filter((row) => row.energy_reason).map((row) => [row.model, row.energy_reason])]],
  };
}

// ----------------------------------------------------------------------------------------------------------- scenarios

const CHOSEN = "as chosen";
const SCENARIOS = { form: null, of: [], show: null };

function startScenarios() {
  const form = startForm("scenarios", updateScenarios);
  if (!form) return;
  SCENARIOS.form = form;
  const subjects = new Map(rows("scenarios").map((row) => [`${row.basis}\n${row.comparability_key}\n${row.model}`, row]));
  const name = (row) => (row.basis === MEASURED ? `${row.model} (${row.suite}, ${keyPart(row.comparability_key, "machine")})` : `${BASES[row.basis]}, ${row.as_of}: ${row.model}`);
  fill(form.elements.of, [...subjects].map(([key, row]) => [key, name(row)]), [...subjects.keys()].at(-1));
  const grids = distinct(rows("scenarios").map((row) => row.scenario));
  fill(form.elements.scenario, [...grids, CHOSEN].map((grid) => [grid, grid]), grids.includes("leaderboard") ? "leaderboard" : grids[0]);
  form.elements.scenario.addEventListener("input", fromScenario);
  SCENARIOS.show = longTable(document.getElementById("scenarios-list"), "Emissions by scenario", [
    { title: "Scenario", text: (row) => row.scenario, value: (row) => row.scenario },
    { title: "g per kWh", number: true, text: (row) => figure(row.grid_intensity_g_per_kwh), value: (row) => row.grid_intensity_g_per_kwh },
    { title: "PUE", number: true, text: (row) => figure(row.pue), value: (row) => row.pue },
    { title: "Models", number: true, text: (row) => figure(row.models), value: (row) => row.models },
    { title: "Energy", number: true, text: (row) => (row.energy_kwh === null ? `${NOT_KNOWN}: ${row.missing_reason}` : energy(row.energy_kwh)), value: (row) => row.energy_kwh },
    { title: "CO₂e", number: true, text: (row) => (row.emissions_kg === null ? `${NOT_KNOWN}: ${row.missing_reason}` : mass(row.emissions_kg)), value: (row) => row.emissions_kg },
  ]);
  chart("scenarios", scenariosChart, () => `Its energy is not known: ${SCENARIOS.of[0]?.missing_reason ?? "nothing says why"}.`);
  fromScenario();
  updateScenarios();
}

function fromScenario() {
  const { scenario, grid, pue } = SCENARIOS.form.elements;
  if (scenario.value === CHOSEN) return;
  const row = rows("scenarios").find((each) => each.scenario === scenario.value);
  grid.value = row.grid_intensity_g_per_kwh;
  pue.value = row.pue;
}

function updateScenarios() {
  const { of, grid, pue, scenario } = SCENARIOS.form.elements;
  const held = rows("scenarios").filter((row) => `${row.basis}\n${row.comparability_key}\n${row.model}` === of.value);
  const at = { grid_intensity_g_per_kwh: Number(grid.value), pue: Number(pue.value) };
  const same = held.find((row) => row.scenario === scenario.value && row.grid_intensity_g_per_kwh === at.grid_intensity_g_per_kwh && row.pue === at.pue);
  const valid = grid.value !== "" && pue.value !== "" && at.grid_intensity_g_per_kwh >= 0 && at.pue >= 1;
  const chosen = same ?? (valid ? { ...held[0], ...at, scenario: CHOSEN, emissions_kg: held[0].energy_kwh === null ? null : (held[0].energy_kwh * at.pue * at.grid_intensity_g_per_kwh) / 1000 } : null);
  if (!same && chosen) scenario.value = CHOSEN;
  SCENARIOS.of = same || !chosen ? held : [chosen, ...held];
  SCENARIOS.chosen = chosen;
  document.getElementById("scenarios-count").textContent = !chosen ? "Give a grid of 0 g per kWh or more, and a PUE of 1 or more."
    : chosen.energy_kwh === null ? `${NOT_KNOWN}: ${chosen.missing_reason}`
      : `${energy(chosen.energy_kwh)} at ${figure(chosen.grid_intensity_g_per_kwh)} g per kWh and a PUE of ${figure(chosen.pue)}: ${mass(chosen.emissions_kg)} of CO₂e.`;
  SCENARIOS.show(SCENARIOS.of);
  redraw("scenarios");
}

function scenariosChart() {
  const known = SCENARIOS.of.filter((row) => row.emissions_kg !== null);
  if (!known.length) return null;
  showKey("scenarios", [["chosen", "var(--c2)"], ["others", "var(--c1)"]]);
  const data = known.map((row) => ({ row, scenario: row.scenario, kg: row.emissions_kg, label: mass(row.emissions_kg), colour: row === SCENARIOS.chosen ? "var(--c2)" : "var(--c1)" }));
  return { data: { bars: data }, words: oneUnit("mass", MASS, Math.max(...known.map((row) => row.emissions_kg))), tip: ({ row }) => [row.scenario, [["Grid", `${figure(row.grid_intensity_g_per_kwh)} g per kWh`], ["PUE", figure(row.pue)], ["CO₂e", mass(row.emissions_kg)]]] };
}
