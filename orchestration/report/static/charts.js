// Drawing: a chart is made when it comes into sight, and made again when what it shows or the theme changes.

const SPECIFICATIONS = JSON.parse(document.getElementById("specifications").textContent);
const CHARTS = new Map(); // id -> {make, view, seen}

const EXPRESSIONS = Object.fromEntries(Object.entries({ energy, mass, joules, figure }).map(([name, form]) => [name, brief(form)]));

// make() returns {data: {dataset: rows}, words: {placeholder: text}, tip: row => [title, [[name, value]…]], names: rows}
// or null where there is nothing to show; then `empty` says why, or empty() does.
function chart(id, make, empty = "No model has both figures.") {
  const place = document.getElementById(`${id}-chart`);
  if (!place) return;
  CHARTS.set(id, { place, make, empty, view: null, seen: false });
  SIGHT.observe(place);
}

const SIGHT = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    SIGHT.unobserve(target);
    const id = target.id.replace(/-chart$/, "");
    CHARTS.get(id).seen = true;
    setTimeout(() => draw(id)); // each in a task of its own
  }
}, { rootMargin: "100px" });

function redraw(...ids) {
  for (const id of ids.length ? ids : CHARTS.keys()) if (CHARTS.get(id)?.seen) setTimeout(() => draw(id));
}

async function draw(id) {
  const of = CHARTS.get(id), made = of.make();
  of.number = (of.number ?? 0) + 1;
  const number = of.number;
  if (!made) {
    of.view?.finalize();
    of.view = null;
    of.place.replaceChildren(element("p", { class: "nothing", text: typeof of.empty === "function" ? of.empty() : of.empty }));
    return;
  }
  const colour = colours();
  const specification = replaced(SPECIFICATIONS[of.place.dataset.specification], made.words ?? {}, colour);
  specification.description = of.place.dataset.title;
  for (const [name, given] of Object.entries(made.data)) specification.data.find((each) => each.name === name).values = given.map((row) => coloured(row, colour));
  const inside = element("div");
  of.view?.finalize();
  of.place.replaceChildren(inside);
  const { view } = await vegaEmbed(inside, specification, {
    mode: "vega", logLevel: 1, renderer: "printing" in document.documentElement.dataset ? "svg" : "canvas", actions: false, defaultStyle: false, expressionFunctions: EXPRESSIONS,
    tooltip: (_, event, item, value) => (value && made.tip ? showTip(event, made.tip(item.datum)) : hideTip()),
  });
  if (number !== of.number) return; // drawn again meanwhile
  of.view = view;
  if (made.names) view.data("labels", labels(view, made.names)).run();
  of.place.dataset.drawn = number;
}

// var(--ink) and its like as the style sheet has them now
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
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, replaced(each, words, colour)]));
  if (typeof value !== "string") return value;
  if (value in words) return words[value]; // a title may be several lines
  return colour(Object.entries(words).reduce((text, [from, to]) => text.replaceAll(from, to), value));
}

const PIXELS_PER_NAME = 60;

// Names at their points, as many as find room, the first ones first.
function labels(view, wanted) {
  const x = view.scale("x"), y = view.scale("y"), width = view.width();
  const context = document.createElement("canvas").getContext("2d");
  context.font = "11px system-ui, sans-serif";
  const taken = [], placed = [];
  for (const { x: atX, y: atY, name } of wanted) {
    if (placed.length >= width / PIXELS_PER_NAME) break;
    const text = name.length > 34 ? `${name.slice(0, 33)}…` : name;
    const half = context.measureText(text).width / 2 + 3;
    const middle = Math.min(Math.max(x(atX), half), width - half);
    const box = { left: middle - half, right: middle + half, top: y(atY) - 19, bottom: y(atY) - 5 };
    if (box.left < -1 || box.top < -8 || taken.some((other) => box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom)) continue;
    taken.push(box);
    placed.push({ x: x.invert(middle), y: atY, name: text });
  }
  return placed;
}

const TIP = document.getElementById("tip");

function showTip(event, [title, entries]) {
  const list = element("dl", {}, ...entries.filter(([, value]) => value !== "" && value !== null && value !== undefined)
    .flatMap(([name, value]) => [element("dt", { text: name }), element("dd", { text: value })]));
  TIP.replaceChildren(element("strong", { text: title }), list);
  TIP.hidden = false;
  const { width, height } = TIP.getBoundingClientRect();
  const left = event.clientX + 14 + width > innerWidth ? event.clientX - 14 - width : event.clientX + 14;
  TIP.style.left = `${Math.max(4, left)}px`;
  TIP.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - height - 4))}px`;
}

function hideTip() {
  TIP.hidden = true;
}
