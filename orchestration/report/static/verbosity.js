// Tokens that your models write, against the energy of a correct answer; one comparability key at a time.

import { chart, redraw } from "./charts.js";
import { OTHER } from "./constants.js";
import { fill, startForm } from "./controls.js";
import { showKey } from "./elements.js";
import { evidences, isOwn } from "./evidence.js";
import { figure, joules, points, range } from "./formats.js";
import { palette } from "./palette.js";
import { keyPart, rows } from "./rows.js";

export function startVerbosity() {
  const form = startForm("verbosity", () => redraw("verbosity"));
  if (!form) return;
  const options = evidences("verbosity").filter(([evidence]) => isOwn(evidence));
  fill(form.elements.evidence, options, options[0]?.[0]);
  form.hidden = options.length < 2;
  chart("verbosity", () => verbosityChart(form.elements.evidence.value), nothingDrawn);
}

const nothingDrawn = () => "No energy per correct answer is known; the table says why.";

function verbosityChart(key) {
  const known = rows("verbosity").filter(
    (row) => row.comparability_key === key && row.joules_per_correct !== null && row.tokens_out_per_request > 0,
  );
  if (!known.length) return null;
  const colours = palette(known.map((row) => row.task));
  showKey("verbosity", [...colours, [`${keyPart(key, "machine")}, ${keyPart(key, "methods")}`]]);
  const place = (row) => ({
    row,
    x: row.tokens_out_per_request,
    y: row.joules_per_correct,
    xlow: row.tokens_out_per_request_low,
    xhigh: row.tokens_out_per_request_high,
    colour: colours.get(row.task) ?? OTHER,
  });
  const basesOf = ({ base, task }) => known.filter((row) => row.model === base && row.task === task);
  const pairs = known.flatMap((row) =>
    basesOf(row).map((base) => ({ ...place(base), x2: row.tokens_out_per_request, y2: row.joules_per_correct })),
  );
  const words = known.map(place);
  return {
    data: { words, pairs },
    names: words.map(({ x, y, row }) => ({ x, y, name: row.model })),
    tip: ({ row }) => [
      row.model,
      [
        ["Task", row.task],
        ["Tokens per answer", figure(row.tokens_out_per_request)],
        ["95 %", range(row.tokens_out_per_request_low, row.tokens_out_per_request_high)],
        ["Per correct answer", joules(row.joules_per_correct)],
        ["Score", points(row.score)],
        ["Energy obtained by", keyPart(row.comparability_key, "methods")],
      ],
    ],
  };
}
