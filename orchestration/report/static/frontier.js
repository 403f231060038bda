// Score against energy, and base against fine-tuned: which evidence, which models.

// Own comparability keys, the one that the claims are about first.
function byHeadline(keys) {
  const rank = new Map(rows("own_models").map((row) => [row.comparability_key, row.headline_rank]));
  return distinct(keys).sort((a, b) => (rank.get(a) ?? Infinity) - (rank.get(b) ?? Infinity) || 0);
}

// An own comparability key, or a basis of the leaderboard: energies of two of them are never in one chart.
function evidences(ownName) {
  const own = byHeadline(rows(ownName).filter((row) => (row.basis ?? MEASURED) === MEASURED).map((row) => row.comparability_key));
  const short = (key) => `Own: ${keyPart(key, "suite").split("@")[0]}, ${keyPart(key, "machine")}, ${keyPart(key, "precision")}`;
  const names = own.map(short);
  const named = own.map((key, i) => [key, names.filter((name) => name === names[i]).length > 1 ? `${names[i]}, ${keyPart(key, "suite")}, ${keyPart(key, "engine")} (${i + 1})` : names[i]]);
  return [...named, ...(state() ? Object.entries(BASES) : [])];
}

const isOwn = (evidence) => !(evidence in BASES);

function startForm(id, onChange, filters) {
  const form = document.getElementById(`${id}-controls`);
  if (!form) return null;
  let waiting = 0;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", ({ target }) => {
    if (target.name === "evidence") filters();
    clearTimeout(waiting);
    waiting = setTimeout(onChange, target.type === "search" ? 150 : 0);
  });
  return form;
}

const costForms = (own) => (own ? { form: energy, name: "energy" } : { form: mass, name: "mass" });

// ------------------------------------------------------------------------------------------------ score against energy

const FRONTIER = { form: null, all: [], shown: [], colours: new Map(), show: null };

// What is known where not all tasks have an energy.
const partOfEnergy = (row) => ((row.energy_known_kwh ?? null) === null ? null : `${energy(row.energy_known_kwh)} without ${row.tasks_without_energy} (${row.missing_reason})`);

const perKwh = ({ score, energy_kwh }) => (score === null || !energy_kwh ? null : score / energy_kwh);

function modelsOf(evidence) {
  if (isOwn(evidence)) return rows("own_models").filter((row) => row.comparability_key === evidence).map((row) => ({ ...row, cost: row.energy_kwh, points_per_kwh: perKwh(row) }));
  return rows("leaderboard_models").filter((row) => row.basis === evidence && row.as_of === state()).map((row) => ({ ...row, cost: row.emissions_kg, points_per_kwh: perKwh(row) }));
}

function startFrontier() {
  FRONTIER.form = startForm("frontier", updateFrontier, frontierFilters);
  if (!FRONTIER.form) return;
  const options = evidences("own_models");
  // two points are no frontier: the leaderboard first, as long as few models are evaluated here
  const rich = options.find(([evidence]) => isOwn(evidence) && modelsOf(evidence).length > 2);
  fill(FRONTIER.form.elements.evidence, options, (rich ?? options.find(([evidence]) => !isOwn(evidence)) ?? options[0])[0]);
  chart("frontier", frontierChart, () => `No model has both figures. ${FRONTIER.shown.map((row) => `${row.model}: ${partOfEnergy(row) ?? row.missing_reason ?? NOT_KNOWN}`).join("; ")}.`);
  frontierState();
}

function frontierState() {
  if (!FRONTIER.form) return;
  frontierFilters();
  updateFrontier();
}

function frontierFilters() {
  const { evidence, family, bucket, kind, provider } = FRONTIER.form.elements;
  FRONTIER.all = modelsOf(evidence.value);
  FRONTIER.colours = palette(FRONTIER.all.map((row) => row.family));
  const order = buckets();
  const choices = (name) => counted(FRONTIER.all.map((row) => row[name] ?? NOT_KNOWN));
  refill(family, all(choices("family"), "all"));
  refill(bucket, [...all(choices("bucket").sort((a, b) => order.indexOf(a) - order.indexOf(b)), "all"), [BELOW_10, BELOW_10]]);
  refill(kind, all(choices("kind"), "all"));
  refill(provider, all(choices("provider"), "all"));
  FRONTIER.show = longTable(document.getElementById("models"), "Models, those on the frontier first", modelColumns(isOwn(evidence.value)));
}

function modelColumns(own) {
  const { form } = costForms(own);
  const plain = (title, name) => ({ title, text: (row) => row[name] ?? NOT_KNOWN, value: (row) => row[name] });
  const number = (title, name, text) => ({ title, number: true, text: (row) => text(row[name], row), value: (row) => row[name] });
  return [
    plain("Model", "model"),
    number("Score", "score", (value, row) => (value === null ? row.missing_reason ?? NOT_KNOWN : own && row.score_low !== null ? `${points(value)} (${range(row.score_low, row.score_high, points)})` : points(value))),
    number(own ? "Energy" : "CO₂e", "cost", (value, row) => (value === null ? partOfEnergy(row) ?? `${NOT_KNOWN}: ${row.missing_reason}` : `${form(value)}${own && row.energy_kwh_low !== null ? ` (${range(row.energy_kwh_low, row.energy_kwh_high, energy)})` : ""}`)),
    ...(own ? [] : [number("Energy", "energy_kwh", energy)]),
    number("Points per kWh", "points_per_kwh", figure),
    ...(own ? [number("J per correct answer", "joules_per_correct", (value, row) => (value !== null ? joules(value) : row.joules_per_correct_gpu !== null ? `${joules(row.joules_per_correct_gpu)} (GPU alone)` : row.joules_per_correct_reason ?? row.missing_reason)),
      number("Tokens per answer", "tokens_out_per_request", figure), plain("Energy obtained by", "energy_method")] : []),
    { title: "Beaten by, of all models", text: (row) => (row.on_frontier === true ? "none: on the frontier" : row.dominated_by ?? ""), value: (row) => (row.on_frontier === true ? "" : row.dominated_by) },
    number("Parameters, B", "params_b", figure),
    plain("Family", "family"), plain("Kind", "kind"), plain("Provider", "provider"),
  ];
}

// The size that most ask for is no class of its own.
const BELOW_10 = "below 10 B";
const isOfSize = (chosen, row) => (chosen === BELOW_10 ? row.params_b !== null && row.params_b < 10 : matches(chosen, row.bucket));

function updateFrontier() {
  const { family, bucket, kind, provider, score, name } = FRONTIER.form.elements;
  const least = score.value === "" ? null : Number(score.value);
  const word = name.value.trim().toLowerCase();
  FRONTIER.shown = FRONTIER.all.filter((row) => matches(family.value, row.family) && isOfSize(bucket.value, row)
    && matches(kind.value, row.kind) && matches(provider.value, row.provider) && (least === null || (row.score !== null && row.score >= least)) && row.model.toLowerCase().includes(word));
  const onIt = FRONTIER.shown.filter((row) => row.on_frontier === true);
  const without = FRONTIER.shown.filter((row) => row.cost === null || row.score === null);
  const reasons = distinct(without.map((row) => row.missing_reason ?? NOT_KNOWN)).join("; ");
  document.getElementById("frontier-count").textContent =
    `${FRONTIER.shown.length.toLocaleString("en-US")} of ${FRONTIER.all.length.toLocaleString("en-US")} models, ${onIt.length} on the frontier of all` +
    (without.length ? `; ${without.length} without a figure, not in the chart (${reasons})` : "") + "." + withoutInterval();
  FRONTIER.show([...onIt, ...FRONTIER.shown.filter((row) => row.on_frontier !== true)]);
  redraw("frontier");
}

// What own energies lack as long as nothing is repeated.
function withoutInterval() {
  if (!isOwn(FRONTIER.form.elements.evidence.value) || FRONTIER.all.some((row) => row.energy_kwh_low !== null)) return "";
  return " These energies have no intervals: one takes three repetitions (repetitions: 3 in the suite, or evalwatt evaluate MODEL --force --until-precise 5%).";
}

// Square pixels; a few models are drawn larger.
const area = (paramsB, few) => (few ? 70 : 18) + 4.8 * Math.min(paramsB ?? 0, 100);

function frontierChart() {
  const { evidence } = FRONTIER.form.elements;
  const own = isOwn(evidence.value), { form, name } = costForms(own);
  const known = FRONTIER.shown.filter((row) => row.cost !== null && row.score !== null && row.cost > 0);
  const steps = FRONTIER.all.filter((row) => row.on_frontier === true).map((row) => ({ x: row.cost, y: row.score, name: row.model.split("/").at(-1), model: row.model }));
  if (!known.length) return null;
  const colourOf = (row) => FRONTIER.colours.get(row.family) ?? OTHER;
  const data = known.map((row) => ({
    row, x: row.cost, y: row.score, low: row.score_low ?? null, high: row.score_high ?? null, xlow: row.energy_kwh_low ?? null, xhigh: row.energy_kwh_high ?? null,
    area: area(row.params_b, known.length < 50), colour: colourOf(row), opacity: known.length > 300 ? (row.on_frontier === true ? 1 : 0.5) : 0.9, order: colourOf(row) === OTHER ? 0 : 1,
  }));
  showKey("frontier", [...FRONTIER.colours].concat(known.some((row) => colourOf(row) === OTHER) ? [["other families, or not known", OTHER]] : [], [[steps.length > 1 ? "area: parameters; line: the frontier of all models" : "area: parameters"]]));
  const methods = distinct(known.map((row) => row.energy_method)).join("; ");
  const title = own ? ["Energy of one evaluation", methods] : [`CO₂e of ${evidence.value === PER_RUN ? "one evaluation" : "all evaluations, as published"}`, "nameplate power × hours"];
  const wanted = own && known.length < 12 ? data.map(({ x, y, row }) => ({ x, y, name: row.model })) : [...steps].sort((a, b) => b.y - a.y);
  return {
    data: { points: data, steps }, words: { "cost(": `${name}(`, "{cost}": title }, names: wanted,
    tip: ({ row }) => [row.model, [["Score", points(row.score)], [own ? "Energy" : "CO₂e", form(row.cost)], [own ? "CO₂e" : "Energy", own ? mass(row.emissions_kg) : energy(row.energy_kwh)],
      ["How", own ? row.energy_method : "nameplate power × hours"], ["Parameters", row.params_b === null ? NOT_KNOWN : `${figure(row.params_b)} B`], ["Family", row.family ?? NOT_KNOWN], ["Kind", `${row.kind}, ${row.provider}`],
      ["J per correct answer", own ? joules(row.joules_per_correct) : ""], ["Frontier", row.on_frontier === true ? "on it" : `beaten by ${row.dominated_by ?? NOT_KNOWN}`]]],
  };
}

// ---------------------------------------------------------------------------------------------- base against fine-tuned

// All tasks of a suite, or those whose energies are known on both sides.
const isWhole = (row) => row.scope === "suite" || row.scope === "known_tasks";
const wholeName = (row) => (row.scope === "suite" ? `all of ${row.suite}` : `${row.tasks_paired} of ${row.tasks_planned} tasks of ${row.suite}`);
const SCOPE_ORDER = ["suite", "known_tasks"];

const PAIRS = { form: null, all: [], shown: [], show: null };

function startPairs() {
  PAIRS.form = startForm("pairs", updatePairs, pairFilters);
  if (!PAIRS.form) return;
  const options = evidences("finetunes");
  fill(PAIRS.form.elements.evidence, options, options[0][0]);
  chart("arrows", arrowsChart, () => `No pair of these has both figures (${distinct(PAIRS.shown.map((row) => row.verdict_reason)).join("; ")}).`);
  pairState();
}

function pairState() {
  if (!PAIRS.form) return;
  pairFilters();
  updatePairs();
}

function pairFilters() {
  const { evidence, family, size_class, kind } = PAIRS.form.elements, own = isOwn(evidence.value);
  PAIRS.all = rows("finetunes").filter((row) => (own ? row.comparability_key === evidence.value : row.basis === evidence.value && row.as_of === state()));
  const choices = (name) => counted(PAIRS.all.map((row) => row[name] ?? NOT_KNOWN));
  const classes = choices("size_class");
  refill(family, all(choices("family"), "all"));
  refill(size_class, all(classes.sort((a, b) => compare(Number(a.match(/\d+/)), Number(b.match(/\d+/)))), "all"), !own && classes.includes("65–80 B") ? "65–80 B" : ANY);
  refill(kind, all(choices("kind"), "all"));
  PAIRS.show = longTable(document.getElementById("pairs"), "Base and fine-tune, pair by pair", pairColumns(own));
}

function pairColumns(own) {
  const plain = (title, text) => ({ title, text, value: text });
  const times = (title, name, reason) => ({ title, number: true, value: (row) => row[name],
    text: (row) => (row[name] === null ? NOT_KNOWN : `${ratio(row[name])}${row[`${name}_low`] !== null ? ` (${range(row[`${name}_low`], row[`${name}_high`])})` : row[reason] ? ` (no interval: ${row[reason]})` : ""}`) });
  return [
    plain("Fine-tune", (row) => row.finetuned), plain("Base", (row) => row.base),
    ...(own ? [plain("Task", (row) => (row.scope === "suite" ? wholeName(row) : isWhole(row) ? `${wholeName(row)}: ${row.tasks_compared}` : row.task))] : []),
    { ...plain(own ? "Energy per correct answer is" : "CO₂e is", (row) => row.verdict), why: (row) => row.verdict_reason },
    ...(own ? [times("Energy per correct answer", "joules_per_correct_ratio", "energy_interval_reason")] : []),
    ...(own ? [plain("Score is", (row) => `${row.score_verdict} (${row.score_p_adjusted === null ? row.score_interval_reason : `p = ${figure(row.score_p_adjusted)}`})`)] : []),
    { title: "Points", number: true, value: (row) => row.score_delta, text: (row) => (row.score_delta === null ? NOT_KNOWN : `${row.score_delta > 0 ? "+" : ""}${points(row.score_delta)}${row.score_delta_low === null ? "" : ` (${range(row.score_delta_low, row.score_delta_high, points)})`}`) },
    times("Energy", "energy_ratio", "energy_interval_reason"),
    ...(own ? [times("Tokens written", "tokens_out_ratio")] : []),
    plain("Energy obtained by", (row) => row.energy_method),
  ];
}

function updatePairs() {
  const { family, size_class, kind } = PAIRS.form.elements;
  PAIRS.shown = PAIRS.all.filter((row) => matches(family.value, row.family) && matches(size_class.value, row.size_class) && matches(kind.value, row.kind));
  const without = PAIRS.shown.filter((row) => row.energy_ratio === null);
  document.getElementById("pairs-count").textContent = `${PAIRS.shown.length} of ${PAIRS.all.length} comparisons` +
    (without.length ? `; ${without.length} without both energies (${distinct(without.map((row) => row.verdict_reason)).join("; ")})` : "") + ".";
  const place = (row) => (isWhole(row) ? SCOPE_ORDER.indexOf(row.scope) : SCOPE_ORDER.length);
  PAIRS.show([...PAIRS.shown].sort((a, b) => place(a) - place(b)));
  redraw("arrows");
}

function arrowsChart() {
  const evidence = PAIRS.form.elements.evidence.value, own = isOwn(evidence);
  const known = PAIRS.shown.filter((row) => row.energy_ratio !== null && row.score_delta !== null);
  if (!known.length) return null;
  const group = own ? (row) => (isWhole(row) ? wholeName(row) : row.task) : (row) => row.family;
  // all tasks together have the ink, so that each task may have a colour
  const whole = known.filter(isWhole).map((row) => [group(row), "var(--ink)"]);
  const colour = new Map([...whole, ...palette(known.filter((row) => !isWhole(row)).map(group))]), hue = (row) => colour.get(group(row)) ?? OTHER;
  const data = known.map((row) => ({
    row, x: row.base_energy_kwh, y: row.base_score, x2: row.finetuned_energy_kwh, y2: row.finetuned_score, colour: hue(row), shape: "circle", width: isWhole(row) ? 3 : 1.3,
    low: row.score_delta_low === null ? null : Math.max(0, row.base_score + row.score_delta_low), high: row.score_delta_high === null ? null : Math.min(100, row.base_score + row.score_delta_high),
    xlow: row.energy_ratio_low === null ? null : row.base_energy_kwh * row.energy_ratio_low, xhigh: row.energy_ratio_high === null ? null : row.base_energy_kwh * row.energy_ratio_high,
  }));
  showKey("arrows", [...colour].concat(known.some((row) => hue(row) === OTHER) ? [["other", OTHER]] : []));
  return {
    data: { pairs: data }, names: own ? data.map(({ x2, y2, row }) => ({ x: x2, y: y2, name: group(row) })) : [],
    words: { "cost(": "energy(", "{cost}": ["Energy", distinct(known.map((row) => row.energy_method)).join("; ")] },
    tip: ({ row }) => [row.finetuned, [["Base", row.base], ["Of", group(row)], ["Tasks", row.scope === "known_tasks" ? row.tasks_compared : ""], ["Points", `${row.score_delta > 0 ? "+" : ""}${points(row.score_delta)}`], ["95 %", range(row.score_delta_low, row.score_delta_high, points)],
      ["Energy", `${energy(row.base_energy_kwh)} → ${energy(row.finetuned_energy_kwh)}, ${ratio(row.energy_ratio)}`], ["95 %", range(row.energy_ratio_low, row.energy_ratio_high)], ["How", row.energy_method], ...(own ? [["Score is", row.score_verdict], ["Energy per correct answer is", row.verdict]] : [["CO₂e is", row.verdict]])]],
  };
}
