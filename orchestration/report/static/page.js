// Starts each part in its own task, so that the page responds while the others load.

import { startAsked } from "./asked.js";
import { redrawAll } from "./charts.js";
import { startComparisons } from "./comparisons.js";
import { showPairs, startPairs } from "./finetunes.js";
import { showFrontier, startFrontier } from "./frontier.js";
import { startNights } from "./nights.js";
import { state } from "./rows.js";
import { startScenarios } from "./scenarios.js";
import { countRows, sortable } from "./tables.js";
import { startPrinting, startTheme } from "./theme.js";
import { startVerbosity } from "./verbosity.js";

const COPIED_FOR = 2000; // ms

const tables = () => [...document.querySelectorAll("table.sortable")];

function startState() {
  document.getElementById("state")?.addEventListener("change", () => {
    for (const each of document.querySelectorAll("[data-state]")) each.hidden = each.dataset.state !== state();
    tables().forEach(countRows);
    showFrontier();
    showPairs();
    redrawAll();
  });
}

function startCopying() {
  const said = document.getElementById("said");
  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      await copy(document.getElementById(button.dataset.copies));
      button.textContent = "Copied";
      said.textContent = "Copied";
      setTimeout(() => {
        button.textContent = "Copy";
        said.textContent = "";
      }, COPIED_FOR);
    });
  }
}

async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    // the clipboard needs a permission: select the text, and try the browser's own copy command
    getSelection().selectAllChildren(code);
    document.execCommand("copy");
  }
}

const PARTS = [
  startTheme,
  startState,
  startCopying,
  startPrinting,
  startFrontier,
  startPairs,
  startAsked,
  startComparisons,
  startVerbosity,
  startNights,
  startScenarios,
  ...tables().map((table) => () => sortable(table)),
];

function startNext() {
  PARTS.shift()();
  if (PARTS.length) setTimeout(startNext);
  else document.documentElement.dataset.ready = "";
}

startNext();
