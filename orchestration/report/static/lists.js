// Lists of values: distinct, by frequency, or sorted with unknown values last.

export const distinct = (values) => [...new Set(values)];

export function byFrequency(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].toSorted((a, b) => b[1] - a[1]).map(([value]) => value);
}

const isKnown = (value) => value !== null && value !== "";

export function compare(a, b) {
  if (!isKnown(a) || !isKnown(b)) return Number(isKnown(b)) - Number(isKnown(a));
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

// Unknown values come last in either direction.
export function ordered(items, value, descending) {
  const known = items.filter((item) => isKnown(value(item))).toSorted((a, b) => compare(value(a), value(b)));
  const unknown = items.filter((item) => !isKnown(value(item)));
  return [...(descending ? known.toReversed() : known), ...unknown];
}
