// Families, sizes, providers and verbosity: charts of small tables.

const GROUPS = { official: "var(--c2)", "official, other": "var(--c5)", community: "var(--c1)", own: "var(--c3)" };
const GROUP_NAMES = { official: "official release of the publisher", "official, other": "other official", community: "community", own: "own" };
const hollow = (row) => (row.basis === PUBLISHED ? "var(--paper)" : undefined);

function startComparisons() {
  chart("families-70", () => familiesChart("families-70", "65–80 B"), "No family of this size has a base with known emissions.");
  chart("families-7", () => familiesChart("families-7", "7–9 B"), "No family of this size has a base with known emissions.");
  chart("sizes", () => sizesChart("sizes", ofState("sizes")));
  chart("marginal", marginalChart);
  chart("own-sizes", () => sizesChart("own-sizes", ownSizes()));
  chart("providers", providersChart);
  startVerbosity();
}

function familiesChart(id, sizeClass) {
  const known = ofState("families").filter((row) => row.size_class === sizeClass && row.model_group !== "base" && row.emissions_ratio_median !== null);
  if (!known.length) return null;
  const used = distinct(known.map((row) => row.model_group));
  showKey(id, Object.keys(GROUPS).filter((group) => used.includes(group)).map((group) => [GROUP_NAMES[group], GROUPS[group]]));
  const data = known.map((row) => ({ row, family: row.family, group: row.model_group, x: row.emissions_ratio_median, colour: GROUPS[row.model_group], fill: hollow(row) ?? GROUPS[row.model_group] }));
  return {
    data: { ratios: data.sort((a, b) => (b.row.basis === PUBLISHED) - (a.row.basis === PUBLISHED)), one: [{ x: 1 }] },
    tip: ({ row }) => [`${row.family}, ${row.model_group}`, [["Evidence", BASES[row.basis]], ["Median, times the base's", ratio(row.emissions_ratio_median)], ["Median", mass(row.emissions_kg_median)], ["Models", figure(row.n)], ["Median score", points(row.score_median)]]],
  };
}

// Quartiles of fewer would be made up: each model is drawn.
const FEWEST_IN_A_BOX = 5;

const BASIS_COLOURS = { [PER_RUN]: "var(--c1)", [PUBLISHED]: "var(--c5)" };

// Classes of different keys are not comparable.
function ownSizes() {
  const own = rows("sizes").filter((row) => row.basis === MEASURED && row.n > 0);
  const [first] = byHeadline(own.map((row) => row.comparability_key));
  return own.filter((row) => row.comparability_key === first);
}

function sizesChart(id, found) {
  const known = found.filter((row) => row.n > 0);
  if (!known.length) return null;
  const own = known[0].basis === MEASURED;
  showKey(id, own ? [[`${known[0].suite}, ${keyPart(known[0].comparability_key, "machine")}: ${keyPart(known[0].comparability_key, "methods")}`, "var(--c3)"]] : Object.entries(BASES).map(([basis, name]) => [name, BASIS_COLOURS[basis]]));
  const data = known.filter((row) => !own || row.n >= FEWEST_IN_A_BOX).map((row) => ({ row, bucket: row.bucket, order: row.bucket_order, basis: row.basis, p25: row.emissions_kg_p25, median: row.emissions_kg_median, p75: row.emissions_kg_p75, p95: row.emissions_kg_p95, mean: row.emissions_kg_mean, colour: own ? "var(--c3)" : BASIS_COLOURS[row.basis] }));
  const few = own ? known.filter((row) => row.n < FEWEST_IN_A_BOX) : [];
  const models = few.flatMap((row) => rows("own_models").filter((model) => model.comparability_key === row.comparability_key && model.bucket === row.bucket && model.params_b !== null && model.score !== null && model.emissions_kg !== null)
    .map((model) => ({ row, model, bucket: row.bucket, order: row.bucket_order, basis: row.basis, kg: model.emissions_kg, colour: "var(--c3)" })));
  return {
    data: { boxes: data, models },
    tip: ({ row, model }) => model ? [model.model, [["CO₂e", mass(model.emissions_kg)], ["Score", points(model.score)], ["Class", row.bucket]]] : [row.bucket, [["Evidence", BASES[row.basis] ?? "Own evaluations"], ["Models", figure(row.n)], ["Mean", mass(row.emissions_kg_mean)], ["Median", mass(row.emissions_kg_median)], ["Middle half", range(row.emissions_kg_p25, row.emissions_kg_p75, mass)], ["95th percentile", mass(row.emissions_kg_p95)], ["Mean score", points(row.score_mean)], ["Median points per kg", figure(row.score_per_kg_median)]]],
  };
}

function marginalChart() {
  const found = ofState("sizes");
  const classes = distinct(found.map((row) => row.bucket));
  const data = found.filter((row) => row.marginal_score_per_kg !== null).map((row) => ({
    row, step: `${row.bucket} to ${classes[classes.indexOf(row.bucket) + 1]}`, order: row.bucket_order, y: row.marginal_score_per_kg, label: figure(row.marginal_score_per_kg), basis: row.basis, colour: BASIS_COLOURS[row.basis],
  }));
  showKey("marginal", Object.entries(BASES).map(([basis, name]) => [name, BASIS_COLOURS[basis]]));
  return data.length ? { data: { steps: data }, tip: ({ row, step }) => [step, [["Evidence", BASES[row.basis]], ["Points per kg", figure(row.marginal_score_per_kg)]]] } : null;
}

function providersChart() {
  const found = ofState("providers");
  const order = [...buckets(), "all sizes"];
  showKey("providers", distinct(found.map((row) => row.provider)).sort().map((provider) => [provider, GROUPS[provider]]));
  const data = found.filter((row) => row.score_per_kg_median !== null).map((row) => ({
    row, bucket: row.bucket, order: order.indexOf(row.bucket), group: `${row.provider} ${row.basis}`, x: row.score_per_kg_median, low: row.score_per_kg_median_low, high: row.score_per_kg_median_high, colour: GROUPS[row.provider], fill: hollow(row) ?? GROUPS[row.provider],
  }));
  return data.length ? { data: { medians: data }, tip: ({ row }) => [`${row.bucket}, ${row.provider}`, [["Evidence", BASES[row.basis]], ["Points per kg", figure(row.score_per_kg_median)], ["95 %", range(row.score_per_kg_median_low, row.score_per_kg_median_high)], ["Models", figure(row.n)], ["Median", mass(row.emissions_kg_median)], ["Median score", points(row.score_median)]]] } : null;
}

// Own comparability keys, one at a time.
function startVerbosity() {
  const form = startForm("verbosity", () => redraw("verbosity"));
  if (!form) return;
  const options = evidences("verbosity").filter(([key]) => isOwn(key));
  fill(form.elements.evidence, options, options[0]?.[0]);
  form.hidden = options.length < 2;
  chart("verbosity", () => verbosityChart(form.elements.evidence.value), "No correct answer has an energy; the table says why.");
}

function verbosityChart(key) {
  const known = rows("verbosity").filter((row) => row.comparability_key === key && row.joules_per_correct !== null && row.tokens_out_per_request > 0);
  if (!known.length) return null;
  const colour = palette(known.map((row) => row.task)), hue = (row) => colour.get(row.task) ?? OTHER;
  showKey("verbosity", [...colour, [`${keyPart(key, "machine")}, ${keyPart(key, "methods")}`]]);
  const place = (row) => ({ row, x: row.tokens_out_per_request, y: row.joules_per_correct, xlow: row.tokens_out_per_request_low, xhigh: row.tokens_out_per_request_high, colour: hue(row) });
  const pairs = known.flatMap((row) => known.filter((base) => base.model === row.base && base.task === row.task)
    .map((base) => ({ ...place(base), x2: row.tokens_out_per_request, y2: row.joules_per_correct })));
  return {
    data: { words: known.map(place), pairs }, names: known.map(place).map(({ x, y, row }) => ({ x, y, name: row.model })),
    tip: ({ row }) => [row.model, [["Task", row.task], ["Tokens per answer", figure(row.tokens_out_per_request)], ["95 %", range(row.tokens_out_per_request_low, row.tokens_out_per_request_high)], ["Per correct answer", joules(row.joules_per_correct)], ["Score", points(row.score)], ["How", keyPart(row.comparability_key, "methods")]]],
  };
}
