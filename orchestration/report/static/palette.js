// Colours for values that have none of their own.

import { COLOURS } from "./constants.js";
import { byFrequency } from "./lists.js";

// By frequency: those beyond the last colour, and what is not known, share one.
export function palette(values) {
  const known = byFrequency(values.filter((value) => value !== null));
  return new Map(known.slice(0, COLOURS.length).map((value, i) => [value, COLOURS[i]]));
}
