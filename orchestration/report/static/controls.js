// Forms that choose what is shown.

import { NOT_KNOWN } from "./constants.js";
import { element } from "./elements.js";
import { byFrequency } from "./lists.js";

const TYPING_PAUSE = 150; // ms

// The form with a part's controls, or null if that part has nothing to show.
export function startForm(id, onChange, onEvidence) {
  const form = document.getElementById(`${id}-controls`);
  if (!form) return null;
  let waiting = 0;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", ({ target }) => {
    if (target.name === "evidence") onEvidence?.();
    clearTimeout(waiting);
    waiting = setTimeout(onChange, target.type === "search" ? TYPING_PAUSE : 0);
  });
  return form;
}

export function fill(select, options, chosen) {
  const made = options.map(([value, text]) => element("option", { value, text, selected: value === chosen }));
  select.replaceChildren(...made);
}

export const ANY = "";
const OF_ALL = [ANY, "all"];

// Replaces the options and keeps the choice if it is still among them.
export function refill(select, values, otherwise = ANY) {
  const { value } = select;
  const stays = value !== ANY && values.includes(value);
  fill(select, [OF_ALL, ...values.map((each) => [each, each])], stays ? value : otherwise);
}

// The rows' values in a column, the most frequent first.
export const choices = (rows, name) => byFrequency(rows.map((row) => row[name] ?? NOT_KNOWN));

export const matches = (chosen, value) => chosen === ANY || chosen === (value ?? NOT_KNOWN);
