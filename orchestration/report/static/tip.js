// The tooltip of the mark under the pointer.

import { element } from "./elements.js";

const TIP = document.getElementById("tip");
const FROM_POINTER = 14; // pixels
const FROM_EDGE = 4;

export function showTip(event, [title, entries]) {
  const known = entries.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const lines = known.flatMap(([name, value]) => [element("dt", { text: name }), element("dd", { text: value })]);
  TIP.replaceChildren(element("strong", { text: title }), element("dl", {}, ...lines));
  TIP.hidden = false;
  const { width, height } = TIP.getBoundingClientRect();
  const right = event.clientX + FROM_POINTER;
  const left = right + width > innerWidth ? event.clientX - FROM_POINTER - width : right;
  const top = Math.min(event.clientY + FROM_POINTER, innerHeight - height - FROM_EDGE);
  TIP.style.left = `${Math.max(FROM_EDGE, left)}px`;
  TIP.style.top = `${Math.max(FROM_EDGE, top)}px`;
}

export function hideTip() {
  TIP.hidden = true;
}
