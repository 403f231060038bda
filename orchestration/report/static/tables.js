// Tables that sort and filter. Those of the page are sorted where they stand; long ones show some rows at a time.

const SHOWN_FIRST = 12, SHOWN_FURTHER = 50, FILTERED_FROM = 8;

function compare(a, b) {
  // what is not known comes last, whichever way round
  if (a === null || a === "") return b === null || b === "" ? 0 : 1;
  if (b === null || b === "") return -1;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
}

function ordered(items, value, descending) {
  const known = items.filter((item) => compare(value(item), null) < 0).sort((a, b) => compare(value(a), value(b)));
  const unknown = items.filter((item) => compare(value(item), null) === 0);
  return [...(descending ? known.reverse() : known), ...unknown];
}

function sortButtons(head, onSort) {
  for (const [column, cell] of [...head.cells].entries()) {
    const button = element("button", { type: "button", text: cell.textContent });
    cell.replaceChildren(button);
    button.addEventListener("click", () => {
      const first = cell.classList.contains("number") ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const direction = cell.getAttribute("aria-sort") === first ? other : first;
      for (const each of head.cells) each.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", direction);
      onSort(column, direction === "descending");
    });
  }
}

function sortable(table) {
  const body = table.tBodies[0];
  const value = (column) => (row) => {
    const text = row.cells[column].dataset.sort;
    return text === "" || Number.isNaN(Number(text)) ? text : Number(text);
  };
  countRows(table);
  sortButtons(table.tHead.rows[0], (column, descending) => body.append(...ordered([...body.rows], value(column), descending)));
  if (body.rows.length < FILTERED_FROM) return;
  const input = element("input", { type: "search", placeholder: "any" });
  input.addEventListener("input", () => {
    const word = input.value.toLowerCase();
    // keyboards have a hyphen where figures have a minus sign
    for (const row of body.rows) row.classList.toggle("left-out", !`${row.textContent} ${row.textContent.replaceAll("\u2212", "-")}`.toLowerCase().includes(word));
    countRows(table);
  });
  const scroll = table.closest(".scroll");
  scroll.before(element("label", { class: "filter" }, `Filter: ${scroll.getAttribute("aria-label")}`, input));
}

// How many rows there are to scroll through, in this state of the leaderboard and with this filter.
function countRows(table) {
  const count = [...table.tBodies[0].rows].filter((row) => !row.hidden && !row.classList.contains("left-out")).length;
  showCount(table, count, count);
}

function showCount(table, count, all) {
  const number = (value) => value.toLocaleString("en-US");
  table.caption.querySelector(".rows").textContent = `(${count < all ? `${number(count)} of ` : ""}${number(all)} ${all === 1 ? "row" : "rows"})`;
}

function cell({ number, text, why }, row) {
  const words = text(row);
  const details = why ? [element("details", { class: "more" }, element("summary", { text: "Why" }), why(row))] : [];
  return element("td", { class: `${number ? "number" : ""}${words.length > 60 ? " wide" : words.length < 14 ? " short" : ""}` }, words, ...details);
}

// columns: {title, number, text(row), value(row), why(row)}; what is `why` is folded away. Returns a function that shows other rows.
function longTable(place, caption, columns) {
  const head = element("tr", {}, ...columns.map(({ title, number }) => element("th", { scope: "col", class: number ? "number" : null, text: title })));
  const body = element("tbody");
  const table = element("table", {}, element("caption", {}, `${caption} `, element("span", { class: "rows" })), element("thead", {}, head), body);
  const further = element("button", { type: "button", class: "further" });
  place.replaceChildren(element("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" }, table), further);
  let shown = [], count = SHOWN_FIRST, sorting = null;
  function render() {
    const inOrder = sorting ? ordered(shown, columns[sorting.column].value, sorting.descending) : shown;
    body.replaceChildren(...inOrder.slice(0, count).map((row) => element("tr", {}, ...columns.map((column) => cell(column, row)))));
    showCount(table, Math.min(count, shown.length), shown.length);
    further.hidden = shown.length <= count;
    further.textContent = `Show ${Math.min(SHOWN_FURTHER, shown.length - count)} more of ${shown.length.toLocaleString("en-US")}`;
  }
  further.addEventListener("click", () => { count += SHOWN_FURTHER; render(); });
  sortButtons(head, (column, descending) => { sorting = { column, descending }; render(); });
  return (given) => { shown = given; count = SHOWN_FIRST; render(); };
}
