// Families, sizes and providers: charts of the small tables.

import { chart } from "./charts.js";
import {
  BASES,
  BASIS_COLOURS,
  FAMILY_CHARTS,
  FEWEST_IN_A_BOX,
  GROUPS,
  MEASURED,
  PAPER,
  PUBLISHED,
} from "./constants.js";
import { showKey } from "./elements.js";
import { byHeadline, LISTED } from "./evidence.js";
import { figure, mass, points, range, ratio } from "./formats.js";
import { distinct } from "./lists.js";
import { buckets, keyPart, ofState, rows } from "./rows.js";

export function startComparisons() {
  for (const [id, sizeClass] of Object.entries(FAMILY_CHARTS)) chart(id, () => familiesChart(id, sizeClass), noFamily);
  chart("sizes", () => sizesChart(ofState("sizes")));
  chart("marginal", marginalChart);
  chart("own-sizes", () => ownSizesChart(ownSizes()));
  chart("providers", providersChart);
}

const noFamily = () => "No family of this size has a base with known emissions.";

const showBases = (id) =>
  showKey(
    id,
    LISTED.map((basis) => [BASES[basis], BASIS_COLOURS[basis]]),
  );

// Points of the leaderboard as published are hollow.
const hollow = (row, colour) => ({ colour, fill: row.basis === PUBLISHED ? PAPER : colour });

// ------------------------------------------------------------------------------------------------------------ families

function familiesChart(id, sizeClass) {
  const known = ofState("families").filter(
    (row) => row.size_class === sizeClass && row.model_group in GROUPS && row.emissions_ratio_median !== null,
  );
  if (!known.length) return null;
  const used = Object.keys(GROUPS).filter((group) => known.some((row) => row.model_group === group));
  showKey(
    id,
    used.map((group) => [GROUPS[group].words, GROUPS[group].colour]),
  );
  const data = known.map((row) => ({
    row,
    family: row.family,
    group: row.model_group,
    x: row.emissions_ratio_median,
    ...hollow(row, GROUPS[row.model_group].colour),
  }));
  return {
    data: {
      ratios: data.toSorted((a, b) => (b.row.basis === PUBLISHED) - (a.row.basis === PUBLISHED)),
      one: [{ x: 1 }],
    },
    tip: ({ row }) => [
      `${row.family}, ${row.model_group}`,
      [
        ["Basis", BASES[row.basis]],
        ["Median relative to the base", ratio(row.emissions_ratio_median)],
        ["Median", mass(row.emissions_kg_median)],
        ["Models", figure(row.n)],
        ["Median score", points(row.score_median)],
      ],
    ],
  };
}

// --------------------------------------------------------------------------------------------------------------- sizes

function sizesChart(found) {
  const known = found.filter((row) => row.n > 0);
  if (!known.length) return null;
  showBases("sizes");
  return { data: { boxes: known.map(box), models: [] }, tip: ({ row }) => classTip(row) };
}

// Only classes of one comparability key can be compared.
export function ownSizes() {
  const own = rows("sizes").filter((row) => row.basis === MEASURED && row.n > 0);
  const [first] = byHeadline(own.map((row) => row.comparability_key));
  return own.filter((row) => row.comparability_key === first);
}

// Quartiles of a few models would mean nothing, so each model is drawn.
export function ownSizesChart(known) {
  if (!known.length) return null;
  const [{ suite, comparability_key: key }] = known;
  showKey("own-sizes", [[`${suite}, ${keyPart(key, "machine")}: ${keyPart(key, "methods")}`, BASIS_COLOURS[MEASURED]]]);
  const boxes = known.filter((row) => row.n >= FEWEST_IN_A_BOX).map(box);
  const models = known
    .filter((row) => row.n < FEWEST_IN_A_BOX)
    .flatMap((row) => modelsOf(row).map((model) => point(row, model)));
  return { data: { boxes, models }, tip: ({ row, model }) => (model ? modelTip(row, model) : classTip(row)) };
}

function modelsOf({ comparability_key: key, bucket }) {
  const own = rows("own_models").filter((model) => model.comparability_key === key && model.bucket === bucket);
  return own.filter((model) => model.params_b !== null && model.score !== null && model.emissions_kg !== null);
}

const line = (row) => ({
  row,
  bucket: row.bucket,
  order: row.bucket_order,
  basis: row.basis,
  colour: BASIS_COLOURS[row.basis],
});

const point = (row, model) => ({ ...line(row), model, kg: model.emissions_kg });

const box = (row) => ({
  ...line(row),
  p25: row.emissions_kg_p25,
  median: row.emissions_kg_median,
  p75: row.emissions_kg_p75,
  p95: row.emissions_kg_p95,
  mean: row.emissions_kg_mean,
});

function modelTip(row, model) {
  return [
    model.model,
    [
      ["CO₂e", mass(model.emissions_kg)],
      ["Score", points(model.score)],
      ["Class", row.bucket],
    ],
  ];
}

function classTip(row) {
  return [
    row.bucket,
    [
      ["Basis", BASES[row.basis]],
      ["Models", figure(row.n)],
      ["Mean", mass(row.emissions_kg_mean)],
      ["Median", mass(row.emissions_kg_median)],
      ["Middle half", range(row.emissions_kg_p25, row.emissions_kg_p75, mass)],
      ["95th percentile", mass(row.emissions_kg_p95)],
      ["Mean score", points(row.score_mean)],
      ["Median points per kg", figure(row.score_per_kg_median)],
    ],
  ];
}

function marginalChart() {
  const found = ofState("sizes");
  const classes = distinct(found.map((row) => row.bucket));
  const data = found
    .filter((row) => row.marginal_score_per_kg !== null)
    .map((row) => ({
      ...line(row),
      step: `${row.bucket} to ${classes[classes.indexOf(row.bucket) + 1]}`,
      y: row.marginal_score_per_kg,
      label: figure(row.marginal_score_per_kg),
    }));
  showBases("marginal");
  if (!data.length) return null;
  return {
    data: { steps: data },
    tip: ({ row, step }) => [
      step,
      [
        ["Basis", BASES[row.basis]],
        ["Points per kg", figure(row.marginal_score_per_kg)],
      ],
    ],
  };
}

// ----------------------------------------------------------------------------------------------------------- providers

function providersChart() {
  const found = ofState("providers");
  const order = buckets();
  const providers = distinct(found.map((row) => row.provider)).toSorted();
  showKey(
    "providers",
    providers.map((provider) => [provider, GROUPS[provider].colour]),
  );
  const data = found
    .filter((row) => row.score_per_kg_median !== null)
    .map((row) => ({
      row,
      bucket: row.bucket,
      order: order.includes(row.bucket) ? order.indexOf(row.bucket) : order.length, // all sizes come last
      group: `${row.provider} ${row.basis}`,
      x: row.score_per_kg_median,
      low: row.score_per_kg_median_low,
      high: row.score_per_kg_median_high,
      ...hollow(row, GROUPS[row.provider].colour),
    }));
  if (!data.length) return null;
  return {
    data: { medians: data },
    tip: ({ row }) => [
      `${row.bucket}, ${row.provider}`,
      [
        ["Basis", BASES[row.basis]],
        ["Points per kg", figure(row.score_per_kg_median)],
        ["95 %", range(row.score_per_kg_median_low, row.score_per_kg_median_high)],
        ["Models", figure(row.n)],
        ["Median", mass(row.emissions_kg_median)],
        ["Median score", points(row.score_median)],
      ],
    ],
  };
}
