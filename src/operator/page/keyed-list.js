import { placeHeld } from './select.js';

/** How long a row stays where it is under a pointer that has stopped moving. */
const POINTER_MS = 5_000;

/**
 * Children of `parent` by key, made and filled in by `create` and `update`. With `holds`, one that has the focus, the pointer or a part of the
 * selection stays where it is whatever is shown around it, and if it is no longer among the items, it stays, marked as gone, until it is let go;
 * `leave` is called for it at each showing.
 */
export function createKeyedList(parent, { keyOf, create, update, leave = () => {}, holds = false }) {
  const shown = new Map();
  let pointed;

  if (holds) {
    parent.addEventListener('pointermove', ({ target }) => {
      pointed = { node: childWith(target), at: Date.now() };
    });
    parent.addEventListener('pointerleave', () => {
      pointed = undefined;
    });
  }

  function childWith(node) {
    if (node === null || node === undefined || node === parent || !parent.contains(node)) return undefined;
    let child = node;
    while (child.parentNode !== parent) child = child.parentNode;
    return child;
  }

  function heldNodes() {
    const selection = document.getSelection();
    const selected = selection === null || selection.isCollapsed ? [] : [selection.anchorNode, selection.focusNode];
    const isPointed = pointed !== undefined && Date.now() - pointed.at < POINTER_MS;
    return [isPointed ? pointed.node : undefined, document.activeElement, ...selected].map(childWith).filter((node) => node !== undefined);
  }

  /** Where those that must not move are, by key. */
  function heldPlaces() {
    if (!holds) return new Map();
    const nodes = new Set(heldNodes());
    const children = [...parent.children];
    return new Map([...shown].filter(([, { node }]) => nodes.has(node)).map(([key, { node }]) => [key, children.indexOf(node)]));
  }

  return {
    /** The one that the user is most likely about to use. */
    held: () => heldNodes()[0],
    /** `isAsked`: the user wants to see something else, so nothing is held. */
    show(items, isAsked = false) {
      const held = isAsked ? new Map() : heldPlaces();
      const byKey = new Map(items.map((item) => [keyOf(item), item]));
      const order = placeHeld([...byKey.keys()], held);
      for (const [key, { node }] of shown) {
        if (byKey.has(key) || held.has(key)) continue;
        node.remove();
        shown.delete(key);
      }
      const nodes = order.map((key) => {
        let entry = shown.get(key);
        if (entry === undefined) {
          entry = create(key);
          shown.set(key, entry);
        }
        const item = byKey.get(key);
        if (item !== undefined) update(entry, item);
        else leave(entry);
        entry.node.classList.toggle('gone', item === undefined);
        return entry.node;
      });
      arrange(parent, nodes, new Set([...held.keys()].map((key) => shown.get(key).node)));
    },
  };
}

/** Puts the children in order without ever moving those that are held: a node that is moved loses the focus. */
function arrange(parent, nodes, held) {
  let cursor = parent.firstChild;
  for (const node of nodes) {
    while (held.has(node) && cursor !== node) {
      const next = cursor.nextSibling;
      cursor.remove();
      cursor = next;
    }
    if (cursor === node) cursor = cursor.nextSibling;
    else parent.insertBefore(node, cursor);
  }
}
