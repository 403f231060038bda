// Formats figures for people by the same rules as formats.py; a test compares the two.

import { DIGITS, ENERGY, MASS, NOT_KNOWN } from "./constants.js";

const isKnown = (value) => value !== null && Number.isFinite(value);

export function figure(value) {
  if (!isKnown(value)) return NOT_KNOWN;
  if (value === 0) return "0";
  const decimals = Number.isInteger(value) ? 0 : DIGITS - 1 - Math.floor(Math.log10(Math.abs(value)));
  const shown = decimals < 0 ? Math.round(value * 10 ** decimals) / 10 ** decimals : value;
  const digits = Math.max(decimals, 0);
  return signed(shown.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
}

// With a real minus sign instead of a hyphen.
const signed = (digits) => digits.replace("-", "\u2212");

function scaled(value, units) {
  if (!isKnown(value)) return NOT_KNOWN;
  const [factor, unit] = value === 0 ? units[1] : (units.find(([size]) => Math.abs(value) >= size) ?? units.at(-1));
  return `${figure(value / factor)}\u00a0${unit}`;
}

export const energy = (kwh) => scaled(kwh, ENERGY);
export const mass = (kg) => scaled(kg, MASS);
export const joules = (value) => (isKnown(value) ? `${figure(value)}\u00a0J` : NOT_KNOWN);
export const points = (value) => (value === null ? NOT_KNOWN : signed(value.toFixed(1)));
export const ratio = (value) => (value === null ? NOT_KNOWN : `${figure(value)}\u00a0×`);
export const counted = (value) => value.toLocaleString("en-US");

// Points gained or lost, always with a sign.
export const gained = (value) => `${value > 0 ? "+" : ""}${points(value)}`;

export function range(low, high, form = figure) {
  return low === null || high === null ? "" : `${form(low)} to ${form(high)}`;
}

// The range after a figure; empty if there is no interval or no such column.
export function interval(low, high, form = figure) {
  return (low ?? null) === null ? "" : ` (${range(low, high, form)})`;
}

// Round axis ticks need no trailing zeros: 0.1, not 0.100.
export function brief(form) {
  return (value) =>
    form(value)
      .replace(/(\.\d*?)0+(?=\D|$)/, "$1")
      .replace(/\.(?=\D|$)/, "");
}

// A linear axis uses one unit, that of its end: a replacement in the specification.
export function oneUnit(form, units, end) {
  const [factor, unit] = units.find(([size]) => end >= size) ?? units.at(-1);
  return { [`${form}(datum.value)`]: `figure(datum.value / ${factor}) + ' ${unit}'` };
}
