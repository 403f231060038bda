// The queries' rows: stored in the page column by column, decoded on first use.

import { MEASURED } from "./constants.js";
import { distinct } from "./lists.js";

const ENCODED = JSON.parse(document.getElementById("rows").textContent);
const DECODED = new Map();

export function rows(name) {
  if (!DECODED.has(name)) DECODED.set(name, decoded(ENCODED[name]));
  return DECODED.get(name);
}

function decoded({ n, columns }) {
  const made = Array.from({ length: n }, () => ({}));
  for (const [name, column] of Object.entries(columns)) {
    const values = Array.isArray(column) ? column : column.at.map((at) => column.words[at]);
    values.forEach((value, i) => {
      made[i][name] = value;
    });
  }
  return made;
}

// The chosen state of the leaderboard.
export const state = () => document.getElementById("state")?.value;

export const ofState = (name) => rows(name).filter((row) => row.as_of === state() && row.basis !== MEASURED);

// The size classes, smallest first.
export function buckets() {
  const ordered = rows("sizes").toSorted((a, b) => a.bucket_order - b.bucket_order);
  return distinct(ordered.map((row) => row.bucket));
}

// One dimension of a comparability key.
export function keyPart(key, name) {
  const part = key.split(" | ").find((each) => each.startsWith(`${name}=`));
  return part?.slice(name.length + 1) ?? "";
}
