// Names next to points.

const PIXELS_PER_NAME = 60;
const LONGEST = 34;
const FONT = "11px system-ui, sans-serif";

// Places as many names as there is room for, in the given order.
export function placed(view, wanted) {
  const x = view.scale("x");
  const y = view.scale("y");
  const width = view.width();
  const context = document.createElement("canvas").getContext("2d");
  context.font = FONT;
  const taken = [];
  const found = [];
  for (const { x: atX, y: atY, name } of wanted) {
    if (found.length >= width / PIXELS_PER_NAME) break;
    const text = name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name;
    const half = context.measureText(text).width / 2 + 3;
    const middle = Math.min(Math.max(x(atX), half), width - half);
    const box = { left: middle - half, right: middle + half, top: y(atY) - 19, bottom: y(atY) - 5 };
    if (box.left < -1 || box.top < -8 || taken.some((other) => overlap(box, other))) continue;
    taken.push(box);
    found.push({ x: x.invert(middle), y: atY, name: text });
  }
  return found;
}

function overlap(one, other) {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}
