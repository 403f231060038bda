// Tables that sort and filter. The page's own tables are sorted in place; long ones show some rows at a time.

import { SHORT, WIDE } from "./constants.js";
import { element } from "./elements.js";
import { counted } from "./formats.js";
import { ordered } from "./lists.js";

const SHOWN_FIRST = 12;
const SHOWN_FURTHER = 50;
const FILTERED_FROM = 8;

function sortButtons(head, onSort) {
  for (const [column, heading] of [...head.cells].entries()) {
    const button = element("button", { type: "button", text: heading.textContent });
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const first = heading.classList.contains("number") ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const direction = heading.getAttribute("aria-sort") === first ? other : first;
      for (const each of head.cells) each.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", direction);
      onSort(column, direction === "descending");
    });
  }
}

export function sortable(table) {
  const [body] = table.tBodies;
  countRows(table);
  sortButtons(table.tHead.rows[0], (column, descending) => {
    body.append(...ordered([...body.rows], (row) => sortValue(row.cells[column]), descending));
  });
  if (body.rows.length >= FILTERED_FROM) filterable(table);
}

function sortValue({ dataset: { sort } }) {
  return sort === "" || Number.isNaN(Number(sort)) ? sort : Number(sort);
}

function filterable(table) {
  const input = element("input", { type: "search", placeholder: "any" });
  input.addEventListener("input", () => {
    const word = input.value.toLowerCase();
    for (const row of table.tBodies[0].rows) row.classList.toggle("left-out", !hasWord(row, word));
    countRows(table);
  });
  const scroll = table.closest(".scroll");
  scroll.before(element("label", { class: "filter" }, `Filter: ${scroll.getAttribute("aria-label")}`, input));
}

// Keyboards type a hyphen for the figures' minus sign.
function hasWord({ textContent }, word) {
  return `${textContent} ${textContent.replaceAll("\u2212", "-")}`.toLowerCase().includes(word);
}

// Shows the number of rows for the chosen state of the leaderboard and the filter.
export function countRows(table) {
  const count = [...table.tBodies[0].rows].filter((row) => !row.hidden && !row.classList.contains("left-out")).length;
  showCount(table, count, count);
}

function showCount(table, count, all) {
  const part = count < all ? `${counted(count)} of ` : "";
  table.caption.querySelector(".rows").textContent = `(${part}${counted(all)} ${all === 1 ? "row" : "rows"})`;
}

function cell({ number, text, why }, row) {
  const words = text(row);
  const classes = number ? ["number"] : [];
  if (words.length > WIDE) classes.push("wide");
  if (words.length < SHORT) classes.push("short");
  const made = element("td", { class: classes.join(" ") }, words);
  if (why) made.append(element("details", { class: "more" }, element("summary", { text: "Why" }), why(row)));
  return made;
}

// columns: {title, number, text(row), value(row), why(row)}; `why` is folded away. Returns a function that
// shows other rows.
export function longTable(place, caption, columns) {
  const headings = columns.map(({ title, number }) =>
    element("th", { scope: "col", class: number ? "number" : null, text: title }),
  );
  const head = element("tr", {}, ...headings);
  const body = element("tbody");
  const title = element("caption", {}, `${caption} `, element("span", { class: "rows" }));
  const table = element("table", {}, title, element("thead", {}, head), body);
  const further = element("button", { type: "button", class: "further" });
  const scroll = element("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" }, table);
  place.replaceChildren(scroll, further);

  let shown = [];
  let count = SHOWN_FIRST;
  let sorting = null;

  function render() {
    const inOrder = sorting ? ordered(shown, columns[sorting.column].value, sorting.descending) : shown;
    const lines = inOrder.slice(0, count).map((row) => columns.map((column) => cell(column, row)));
    body.replaceChildren(...lines.map((cells) => element("tr", {}, ...cells)));
    showCount(table, Math.min(count, shown.length), shown.length);
    further.hidden = shown.length <= count;
    further.textContent = `Show ${Math.min(SHOWN_FURTHER, shown.length - count)} more of ${counted(shown.length)}`;
  }

  further.addEventListener("click", () => {
    count += SHOWN_FURTHER;
    render();
  });
  sortButtons(head, (column, descending) => {
    sorting = { column, descending };
    render();
  });
  return (given) => {
    shown = given;
    count = SHOWN_FIRST;
    render();
  };
}
