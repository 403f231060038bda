// The queries' rows, as the page carries them: column by column, decoded when first asked for.

const ENCODED = JSON.parse(document.getElementById("rows").textContent);
const DECODED = new Map();

function rows(name) {
  if (!DECODED.has(name)) DECODED.set(name, decoded(ENCODED[name]));
  return DECODED.get(name);
}

function decoded({ n, columns }) {
  const made = Array.from({ length: n }, () => ({}));
  for (const [name, column] of Object.entries(columns)) {
    if (Array.isArray(column)) column.forEach((value, i) => { made[i][name] = value; });
    else column.at.forEach((at, i) => { made[i][name] = column.words[at]; });
  }
  return made;
}

const MEASURED = "measured", PUBLISHED = "leaderboard_published", PER_RUN = "leaderboard_per_run";
const BASES = { [PER_RUN]: "Leaderboard, per run", [PUBLISHED]: "Leaderboard, as published" };

// The leaderboard's state that is looked at.
const state = () => document.getElementById("state")?.value;
const ofState = (name) => rows(name).filter((row) => row.as_of === state() && row.basis !== MEASURED);

// The size classes, smallest first.
const buckets = () => distinct([...rows("sizes")].sort((a, b) => a.bucket_order - b.bucket_order).map((row) => row.bucket));

function keyPart(key, name) {
  return key.split(" | ").find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
}

const distinct = (values) => [...new Set(values)];

function counted(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).map(([value]) => value);
}

// Colours by frequency: the families beyond the sixth, and models of no known family, share one.
const COLOURS = ["var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)", "var(--c5)", "var(--c6)"];
const OTHER = "var(--other)";

function palette(values) {
  const known = counted(values.filter((value) => value !== null));
  return new Map(known.slice(0, COLOURS.length).map((value, i) => [value, COLOURS[i]]));
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") made.textContent = value;
    else if (value !== false && value !== null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// The colours' meanings above a chart.
function showKey(id, entries) {
  document.getElementById(`${id}-key`).replaceChildren(
    ...entries.map(([name, colour]) => {
      const dot = colour ? [element("i", { style: `background: ${colour}` })] : [];
      return element("li", {}, ...dot, name);
    }),
  );
}

function fill(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => element("option", { value, text, selected: value === chosen })));
}

// With other options, what was chosen stays where it still is one.
function refill(select, options, otherwise = ANY) {
  const { value } = select;
  fill(select, options, value !== ANY && options.some(([option]) => option === value) ? value : otherwise);
}

const ANY = "";
const all = (values, any) => [[ANY, any], ...values.map((value) => [value, value])];
const matches = (chosen, value) => chosen === ANY || chosen === (value ?? NOT_KNOWN);
