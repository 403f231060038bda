// Creates elements of the page.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") made.textContent = value;
    else if (value !== false && value !== null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// The legend above a chart: words with a colour, or alone.
export function showKey(id, entries) {
  const items = entries.map(([words, colour]) => {
    const dot = colour ? [element("i", { style: `background: ${colour}` })] : [];
    return element("li", {}, ...dot, words);
  });
  document.getElementById(`${id}-key`).replaceChildren(...items);
}
