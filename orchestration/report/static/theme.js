// The light and dark themes, and printing.

import { drawAll, redrawAll } from "./charts.js";

const DARK = matchMedia("(prefers-color-scheme: dark)");
const KEPT = "evalwatt-theme";
const SWITCH = document.getElementById("theme");

const theme = () => document.documentElement.dataset.theme ?? (DARK.matches ? "dark" : "light");

export function startTheme() {
  const kept = stored((storage) => storage.getItem(KEPT));
  if (kept) document.documentElement.dataset.theme = kept;
  SWITCH.addEventListener("click", () => {
    document.documentElement.dataset.theme = theme() === "dark" ? "light" : "dark";
    stored((storage) => storage.setItem(KEPT, theme()));
    showTheme();
  });
  DARK.addEventListener("change", showTheme);
  showTheme();
}

function showTheme() {
  SWITCH.textContent = theme() === "dark" ? "Light" : "Dark";
  redrawAll();
}

// Pages opened from a file may not have storage.
function stored(use) {
  try {
    return use(localStorage);
  } catch {
    return null;
  }
}

// Paper is light and narrow, and its charts are vectors instead of pixels, so all charts are drawn again for it.
// Drawing is asynchronous but never waits, so every chart is ready before the browser lays out the paper.
export function startPrinting() {
  let closed = [];
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.printing = "";
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const each of closed) each.open = true;
    drawAll();
  });
  addEventListener("afterprint", () => {
    delete document.documentElement.dataset.printing;
    for (const each of closed) each.open = false;
    redrawAll();
  });
}
