// The basis of a chart's figures: one of our comparability keys, or a basis of the leaderboard. A chart never mixes the
// energies of two.

import { BASES, MEASURED, PER_RUN, PUBLISHED } from "./constants.js";
import { distinct } from "./lists.js";
import { keyPart, rows, state } from "./rows.js";

export const LISTED = [PER_RUN, PUBLISHED]; // of the leaderboard, the preferred one first

export const isOwn = (evidence) => !LISTED.includes(evidence);

// Your comparability keys, the headline key of the claims first.
export function byHeadline(keys) {
  const rank = new Map(rows("own_models").map((row) => [row.comparability_key, row.headline_rank]));
  const place = (key) => rank.get(key) ?? Number.MAX_VALUE;
  return distinct(keys).toSorted((a, b) => place(a) - place(b));
}

// The bases among a query's rows, as options: [value, words].
export function evidences(query) {
  const own = rows(query).filter((row) => (row.basis ?? MEASURED) === MEASURED);
  const keys = byHeadline(own.map((row) => row.comparability_key));
  const names = keys.map(shortName);
  const isUnique = (name) => names.indexOf(name) === names.lastIndexOf(name);
  const options = keys.map((key, i) => [key, isUnique(names[i]) ? names[i] : longName(key, i)]);
  return state() ? [...options, ...LISTED.map((basis) => [basis, BASES[basis]])] : options;
}

function shortName(key) {
  const [suite] = keyPart(key, "suite").split("@");
  return `${BASES[MEASURED]}: ${suite}, ${keyPart(key, "machine")}, ${keyPart(key, "precision")}`;
}

function longName(key, i) {
  return `${shortName(key)}, ${keyPart(key, "suite")}, ${keyPart(key, "engine")} (${i + 1})`;
}
