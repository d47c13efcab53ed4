// A drawing of the server as elements of the page. It is parsed as XML, and only what drawings
// consist of is taken over.

const TAGS = new Set(["svg", "g", "a", "title", "path", "rect", "text", "circle"]);
const ATTRIBUTES = new Set([
  "viewBox", "width", "height", "role", "aria-label", "font-family", "font-size", "font-weight",
  "fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-linejoin",
  "stroke-dasharray", "stroke-linecap", "paint-order", "cx", "cy", "r", "d", "x", "y", "rx", "transform", "text-anchor", "data-run",
]);
const SVG = "http://www.w3.org/2000/svg";

// The SVG `text` as an element; `choose` hears clicks on its links.
export function drawing(text, choose = null) {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  const made = copy(parsed, choose);
  if (!made || parsed.localName !== "svg") throw new Error("the drawing cannot be read");
  return made;
}

function copy(from, choose) {
  if (from.namespaceURI !== SVG || !TAGS.has(from.localName)) return null;
  const made = document.createElementNS(SVG, from.localName);
  for (const { name, value } of from.attributes) if (ATTRIBUTES.has(name)) made.setAttribute(name, value);
  const address = from.getAttribute("href") ?? "";
  if (from.localName === "a" && address.startsWith("?")) {
    made.setAttribute("href", address);
    if (choose) made.addEventListener("click", choose);
  }
  for (const child of from.childNodes) {
    const own = child.nodeType === Node.ELEMENT_NODE ? copy(child, choose) : child.nodeType === Node.TEXT_NODE ? child.data : null;
    if (own !== null) made.append(own);
  }
  return made;
}
