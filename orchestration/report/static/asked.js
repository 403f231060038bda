// Differences of questions that were looked at before everything was asked. Parts are hollow.

import { chart } from "./charts.js";
import { BASIS_COLOURS, MEASURED, PAPER, SUITE } from "./constants.js";
import { showKey } from "./elements.js";
import { counted, gained, points, range } from "./formats.js";
import { distinct } from "./lists.js";
import { keyPart, rows } from "./rows.js";

const COLOUR = BASIS_COLOURS[MEASURED];

export function startAsked() {
  chart("asked", askedChart);
}

const machineOf = (row) => keyPart(row.comparability_key, "machine");

const taskOf = (row) => (row.scope === SUITE ? `all of ${row.suite}` : row.task);

const suiteOf = (row) => JSON.stringify([machineOf(row), row.model, row.reference, row.suite]);

// A suite that is judged as a whole is one question: its tasks are in the table only.
function questions() {
  const whole = new Set(
    rows("asked")
      .filter((row) => row.scope === SUITE)
      .map(suiteOf),
  );
  return rows("asked").filter((row) => row.scope === SUITE || !whole.has(suiteOf(row)));
}

function askedChart() {
  const known = questions().filter((row) => row.score_delta !== null);
  showKey("asked", [["● everything asked"], ["○ asked in part"]]);
  const isOnSeveral = distinct(known.map(machineOf)).length > 1;
  const differences = known.map((row, order) => ({
    row,
    order,
    question: `${row.model}\n${taskOf(row)}${isOnSeveral ? `, ${machineOf(row)}` : ""}`,
    x: row.score_delta,
    low: row.score_delta_low,
    high: row.score_delta_high,
    colour: COLOUR,
    fill: row.is_complete ? COLOUR : PAPER,
  }));
  return {
    data: { differences, zero: [{ x: 0 }] },
    tip: ({ row }) => [
      `${row.model} against ${row.reference}`,
      [
        ["Of", taskOf(row)],
        ["Asked", `${counted(row.documents_asked)} of ${counted(row.documents_total)}`],
        ["Points", gained(row.score_delta)],
        ["Such questions, 95 %", range(row.score_delta_low, row.score_delta_high, points)],
        ["Score is", row.score_verdict],
      ],
    ],
  };
}
