const SVG = 'http://www.w3.org/2000/svg';

export function byId(id) {
  return document.getElementById(id);
}

/** An element with its attributes and children; texts become text, never markup. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** The shape of a state: never colour alone. */
export function makeShape(state) {
  const [svg, use] = [document.createElementNS(SVG, 'svg'), document.createElementNS(SVG, 'use')];
  svg.setAttribute('class', 'shape');
  svg.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `#shape-${state}`);
  svg.append(use);
  return svg;
}

/** Changes a text only where it differs: a selection in it stays, and a screen reader hears nothing new. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
