// Draws a chart when it comes into view, and again when its data or the theme changes.

import { element } from "./elements.js";
import { brief, energy, figure, joules, mass } from "./formats.js";
import { placed } from "./labels.js";
import { hideTip, showTip } from "./tip.js";

const SPECIFICATIONS = JSON.parse(document.getElementById("specifications").textContent);
const FORMATS = { energy, mass, joules, figure };
const EXPRESSIONS = Object.fromEntries(Object.entries(FORMATS).map(([name, form]) => [name, brief(form)]));

export const CHARTS = new Map(); // id -> {place, make, empty, view, seen, number}

// make() returns {data: {dataset: rows}, words: {placeholder: text}, names: rows, tip: row => [title, [[name, value]…]]}
// or null if there is nothing to show; then empty() says why.
export function chart(id, make, empty = () => "No model has both figures.") {
  const place = document.getElementById(`${id}-chart`);
  if (!place) return;
  CHARTS.set(id, { place, make, empty, view: null, seen: false, number: 0 });
  SIGHT.observe(place);
}

const SIGHT = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) if (isIntersecting) see(target.id.replace(/-chart$/, ""));
  },
  { rootMargin: "100px" },
);

function see(id) {
  const each = CHARTS.get(id);
  SIGHT.unobserve(each.place);
  each.seen = true;
  drawSoon(id);
}

// Each chart in its own task.
const drawSoon = (id) => setTimeout(() => draw(id));

export function redraw(id) {
  if (CHARTS.get(id)?.seen) drawSoon(id);
}

export function redrawAll() {
  for (const id of CHARTS.keys()) redraw(id);
}

// Draws all charts now, including those that have not been in view yet.
export function drawAll() {
  for (const [id, each] of CHARTS) {
    SIGHT.unobserve(each.place);
    each.seen = true;
    draw(id);
  }
}

async function draw(id) {
  const of = CHARTS.get(id);
  const made = of.make();
  of.number += 1;
  const { number } = of;
  of.view?.finalize();
  if (!made) {
    of.view = null;
    of.place.replaceChildren(element("p", { class: "nothing", text: of.empty() }));
    return;
  }
  const inside = element("div");
  of.place.replaceChildren(inside);
  const { view } = await vegaEmbed(inside, filledIn(of.place.dataset, made), {
    mode: "vega",
    logLevel: 1,
    renderer: "printing" in document.documentElement.dataset ? "svg" : "canvas",
    actions: false,
    defaultStyle: false,
    expressionFunctions: EXPRESSIONS,
    tooltip(_, event, item, value) {
      if (value && made.tip) showTip(event, made.tip(item.datum));
      else hideTip();
    },
  });
  if (number !== of.number) return; // another drawing has started since
  of.view = view;
  if (made.names) view.data("labels", placed(view, made.names)).run();
  of.place.dataset.drawn = number;
}

// The specification of a place, with rows, words and colours filled in.
function filledIn({ specification, title }, { data, words = {} }) {
  const colour = colours();
  const whole = replaced(SPECIFICATIONS[specification], words, colour);
  whole.description = title;
  for (const [name, given] of Object.entries(data)) {
    whole.data.find((each) => each.name === name).values = given.map((row) => coloured(row, colour));
  }
  return whole;
}

// resolves var(--ink) and others as the style sheet currently defines them
function colours() {
  const probe = document.body.appendChild(element("i", { hidden: true }));
  const known = new Map();
  const resolve = (name) => {
    if (!known.has(name)) {
      probe.style.color = name;
      known.set(name, getComputedStyle(probe).color);
    }
    return known.get(name);
  };
  setTimeout(() => probe.remove());
  return (value) => (typeof value === "string" && value.startsWith("var(--") ? resolve(value) : value);
}

function coloured(row, colour) {
  const { colour: own, fill: inside } = row;
  return { ...row, ...(own && { colour: colour(own) }), ...(inside && { fill: colour(inside) }) };
}

function replaced(value, words, colour) {
  if (Array.isArray(value)) return value.map((each) => replaced(each, words, colour));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, replaced(each, words, colour)]));
  }
  if (typeof value !== "string") return value;
  if (value in words) return words[value]; // a title may be several lines
  return colour(Object.entries(words).reduce((text, [from, to]) => text.replaceAll(from, to), value));
}
