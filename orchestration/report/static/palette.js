// Colours for values without a fixed one.

import { COLOURS } from "./constants.js";
import { byFrequency } from "./lists.js";

// By frequency; values beyond the last colour, and unknown ones, share one colour.
export function palette(values) {
  const known = byFrequency(values.filter((value) => value !== null));
  return new Map(known.slice(0, COLOURS.length).map((value, i) => [value, COLOURS[i]]));
}
