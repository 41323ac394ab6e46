// @ts-check
import { Pane } from "./pane.js";
import { find } from "./view.js";

/** @typedef {import("./view.js").Shown} Shown */

const STEP = 1.5;

/**
 * Photos of another day to lay beside.
 * @typedef {{album: Shown[], day: string}} Other
 *
 * @typedef {{look: (album: Shown[], shown: Shown, other?: Other) => void, close: () => void}} Viewer
 *
 * The dialog that shows a photo large, or two side by side: of one album, or of one and another day's, then the same view of each.
 *
 * @param {HTMLDialogElement} dialog
 * @returns {Viewer}
 */
export function makeViewer(dialog) {
  const panes = [...dialog.querySelectorAll(".app-pane")].map(
    (root) => new Pane(/** @type {HTMLElement} */ (root)),
  );
  /** @type {Shown[]} */
  let album = [];
  /** @type {Other | undefined} */
  let other;
  let pane = panes[0];

  const choose = (/** @type {Pane} */ one) => {
    pane = one;
    for (const { root } of panes)
      root.toggleAttribute("data-chosen", root === one.root && !panes[1].root.hidden);
  };
  const put = (/** @type {Pane} */ one, /** @type {Shown} */ shown) => {
    const day = one === panes[1] ? other?.day : "These photos";
    one.put(shown, (other && day) ?? "");
  };
  const pair = () => {
    const first = panes[0].shown;
    if (panes[1].root.hidden || !first) return;
    const same = other?.album.find(({ entry }) => entry.view === first.entry.view);
    put(panes[1], other ? (same ?? other.album[0]) : album[(album.indexOf(first) + 1) % album.length]);
  };
  const step = (/** @type {number} */ by) => {
    const own = other && pane === panes[1] ? other.album : album;
    const at = pane.shown ? own.indexOf(pane.shown) : 0;
    put(pane, own[(at + by + own.length) % own.length]);
    if (other && pane === panes[0]) pair();
  };
  const beside = (/** @type {boolean} */ on) => {
    panes[1].root.hidden = !on;
    find("[data-do=beside]", dialog).setAttribute("aria-pressed", String(on));
    choose(panes[on && !other ? 1 : 0]);
    pane.frame.focus();
    pair();
    panes[0].lay();
  };
  /** @type {Record<string, () => void>} */
  const doings = {
    previous: () => step(-1),
    next: () => step(1),
    closer: () => pane.zoomBy(STEP),
    further: () => pane.zoomBy(1 / STEP),
    whole: () => pane.zoomTo(null),
    pixels: () => pane.zoomTo(1 / devicePixelRatio),
    turn: () => pane.turn(),
    beside: () => beside(panes[1].root.hidden === true),
  };
  for (const [name, doing] of Object.entries(doings))
    find(`[data-do=${name}]`, dialog).addEventListener("click", doing);
  for (const one of panes) {
    one.root.addEventListener("focusin", () => choose(one));
    one.root.addEventListener("pointerdown", () => choose(one));
    dragToMove(one.frame);
  }
  dialog.addEventListener("keydown", (event) => {
    const doing = doings[doingOf(event, pane.zoom === null)];
    if (!doing) return;
    event.preventDefault();
    doing();
  });
  dialog.addEventListener("close", () => {
    for (const one of panes) one.clear();
    [album, other] = [[], undefined];
  });
  /** @type {Viewer["look"]} */
  const look = (photos, shown, then) => {
    [album, other] = [photos, then];
    dialog.showModal();
    put(panes[0], shown);
    beside(Boolean(other));
  };
  return { look, close: () => dialog.close() };
}

/** @type {Record<string, string>} */
const KEYS = {
  PageUp: "previous",
  PageDown: "next",
  "+": "closer",
  "=": "closer",
  "-": "further",
  0: "whole",
  1: "pixels",
  r: "turn",
  s: "beside",
};

/**
 * @param {KeyboardEvent} event
 * @param {boolean} isWhole whether the photo is seen whole: otherwise the arrows move it
 */
function doingOf({ key, ctrlKey, metaKey, altKey }, isWhole) {
  if (ctrlKey || metaKey || altKey) return "";
  if (isWhole && key === "ArrowLeft") return "previous";
  if (isWhole && key === "ArrowRight") return "next";
  return KEYS[key.length === 1 ? key.toLowerCase() : key] ?? "";
}

/** @param {HTMLElement} frame */
function dragToMove(frame) {
  frame.addEventListener("pointermove", ({ buttons, pointerType, movementX, movementY }) => {
    if (pointerType === "mouse" && buttons === 1) frame.scrollBy(-movementX, -movementY);
  });
  frame.addEventListener("dragstart", (event) => event.preventDefault());
}
