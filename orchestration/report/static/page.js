// What starts: each part in a task of its own, so that the page can be used meanwhile.

const DARK = matchMedia("(prefers-color-scheme: dark)");
const theme = () => document.documentElement.dataset.theme ?? (DARK.matches ? "dark" : "light");

function showTheme() {
  document.getElementById("theme").textContent = theme() === "dark" ? "Light" : "Dark";
  redraw();
}

function startTheme() {
  try {
    const kept = localStorage.getItem("evalwatt-theme");
    if (kept) document.documentElement.dataset.theme = kept;
  } catch { /* a page opened from a file may have no storage */ }
  document.getElementById("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = theme() === "dark" ? "light" : "dark";
    try { localStorage.setItem("evalwatt-theme", theme()); } catch { /* as above */ }
    showTheme();
  });
  DARK.addEventListener("change", showTheme);
  showTheme();
}

function startState() {
  document.getElementById("state")?.addEventListener("change", () => {
    for (const each of document.querySelectorAll("[data-state]")) each.hidden = each.dataset.state !== state();
    document.querySelectorAll("table.sortable").forEach(countRows);
    frontierState();
    pairState();
    redraw();
  });
}

function startCopying() {
  const said = document.getElementById("said");
  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      const code = document.getElementById(button.dataset.copies);
      try {
        await navigator.clipboard.writeText(code.textContent);
      } catch { // no clipboard without a permission: select it, and the browser's own way may do
        getSelection().selectAllChildren(code);
        document.execCommand("copy");
      }
      button.textContent = said.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; said.textContent = ""; }, 2000);
    });
  }
}

// Paper is light and narrow, and its charts are lines instead of pixels: those on the screen are drawn again for it. What
// draws is asynchronous but never waits, so every chart is there before the browser lays out the paper.
function startPrinting() {
  let closed = [];
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.printing = "";
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const each of closed) each.open = true;
    for (const [id, each] of CHARTS) {
      SIGHT.unobserve(each.place);
      each.seen = true;
      draw(id);
    }
  });
  addEventListener("afterprint", () => {
    delete document.documentElement.dataset.printing;
    for (const each of closed) each.open = false;
    redraw();
  });
}

const PARTS = [startTheme, startState, startCopying, startPrinting, startFrontier, startPairs, startComparisons, startNights, startScenarios,
  ...[...document.querySelectorAll("table.sortable")].map((table) => () => sortable(table))];

function startNext() {
  PARTS.shift()();
  if (PARTS.length) setTimeout(startNext);
  else document.documentElement.dataset.ready = "";
}

startNext();
