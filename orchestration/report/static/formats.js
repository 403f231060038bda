"use strict";
// Figures as people read them; the same rules as formats.py, and a test holds the two together.

const NOT_KNOWN = "not known";

function figure(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOT_KNOWN;
  if (value === 0) return "0";
  const decimals = Number.isInteger(value) ? 0 : 2 - Math.floor(Math.log10(Math.abs(value)));
  const shown = decimals < 0 ? Math.round(value * 10 ** decimals) / 10 ** decimals : value;
  const digits = Math.max(decimals, 0);
  return signed(shown.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
}

// With a minus sign, which a hyphen is not.
const signed = (digits) => digits.replace("-", "\u2212");

function scaled(value, units) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOT_KNOWN;
  const [factor, unit] = value === 0 ? units[1] : units.find(([size]) => Math.abs(value) >= size) ?? units.at(-1);
  return `${figure(value / factor)}\u00a0${unit}`;
}

const ENERGY = [[1e3, "MWh"], [1, "kWh"], [1e-3, "Wh"], [1e-6, "mWh"]]; // in kWh
const MASS = [[1e3, "t"], [1, "kg"], [1e-3, "g"], [1e-6, "mg"]]; // in kg
const energy = (kwh) => scaled(kwh, ENERGY);
const mass = (kg) => scaled(kg, MASS);
const joules = (value) => (Number.isFinite(value) && value !== null ? `${figure(value)}\u00a0J` : NOT_KNOWN);
const points = (value) => (value === null ? NOT_KNOWN : signed(value.toFixed(1)));
const ratio = (value) => (value === null ? NOT_KNOWN : `${figure(value)}\u00a0×`);
const range = (low, high, form = figure) => (low === null || high === null ? "" : `${form(low)} to ${form(high)}`);

// Round axis ticks need no decimals that say nothing: 0.1, not 0.100.
const brief = (form) => (value) => form(value).replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");

// A linear axis has one unit, that of its end. A replacement in a specification.
function oneUnit(form, units, end) {
  const [factor, unit] = units.find(([size]) => end >= size) ?? units.at(-1);
  return { [`${form}(datum.value)`]: `figure(datum.value / ${factor}) + ' ${unit}'` };
}
