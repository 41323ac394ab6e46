// @ts-check
import { checkedRows, consentRows, fillList, partLine, requestRows } from "./facts.js";
import { fileName } from "./names.js";
import { about, removed, told } from "./words.js";

/**
 * @typedef {import("../open-worker.js").Answer} Answer
 *
 * A photo on the page. What was taken of a sensitive place is veiled until someone asks to see it.
 * @typedef {object} Shown
 * @property {import("./request.js").PhotoEntry} entry
 * @property {number} number from 1
 * @property {number} total
 * @property {string} name of the file it is saved as
 * @property {Blob} blob the JPEG as it was sent
 * @property {string} url of the blob
 * @property {HTMLElement} card
 * @property {boolean} veiled
 */

/**
 * Find by selector, or fail: the template and this file belong together.
 *
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {any}
 */
export function find(selector, root = document) {
  const element = root.querySelector(selector);
  if (!element) throw new Error(`${selector} is missing from the page`);
  return element;
}

/**
 * @typedef {{veiled: boolean, look: (shown: Shown) => void}} How `look` is called to see a photo larger
 *
 * @param {Answer} answer
 * @param {How} how
 * @returns {Shown[]} its photos, each with its card
 */
export const albumOf = ({ photos, request }, how) => photos.map((photo) => shownOf(photo, request, how));

/**
 * Show what was opened. Everything is set as text, never as HTML.
 *
 * @param {Answer} answer
 * @param {Shown[]} album
 * @param {HTMLElement} section to fill
 * @returns {() => void} frees every picture
 */
export function show(answer, album, section) {
  const page = find("#opened-template").content.cloneNode(true);
  if (answer.faults.length > 0) {
    find("[data-part=intact]", page).remove();
    find("[data-part=verdict]", page).classList.add("app-intact--spoilt");
  }
  fillList(find("[data-list=checked]", page), checkedRows(answer));
  find("[data-list=parts]", page).append(...answer.checked.parts.map((part) => partLine(part, answer)));
  fillList(find("[data-list=request]", page), requestRows(answer));
  fillList(find("[data-list=consent]", page), consentRows(answer));
  find("[data-list=photos]", page).append(...album.map(({ card }) => card));
  section.replaceChildren(page);
  return () => {
    section.replaceChildren();
    for (const { url } of album) URL.revokeObjectURL(url);
  };
}

/**
 * @param {{entry: import("./request.js").PhotoEntry, blob: Blob}} photo
 * @param {import("./request.js").Request} request
 * @param {How} how
 * @returns {Shown}
 */
function shownOf({ entry, blob }, request, { veiled, look }) {
  const total = request.photos.length;
  const number = request.photos.findIndex((photo) => photo.part === entry.part) + 1;
  const card = find("#photo-template").content.cloneNode(true).firstElementChild;
  const name = fileName(request, entry, number, total);
  const shown = { entry, number, total, name, blob, url: URL.createObjectURL(blob), card, veiled };
  fillCard(shown);
  veil(shown, veiled);
  find("[data-do=look]", card).addEventListener("click", () => {
    if (shown.veiled) veil(shown, false);
    else look(shown);
  });
  return shown;
}

/** @param {Shown} shown */
function fillCard({ entry, number, total, name, url, card }) {
  find("[data-field=title]", card).textContent = `${number} of ${total}: ${entry.title}`;
  find("[data-field=about]", card).textContent = about(entry);
  find("[data-field=removed]", card).textContent = removed(entry);
  const note = find("[data-field=told]", card);
  note.textContent = told(entry);
  note.hidden = note.textContent === "";
  Object.assign(find("[data-field=image]", card), { src: url, width: entry.width, height: entry.height });
  const link = find("[data-field=save]", card);
  Object.assign(link, { href: url, download: name });
  link.textContent = `Save photo ${number} as it was sent`;
  const tick = find("[data-field=tick]", card);
  tick.id = `tick-${number}`;
  const label = find("[data-field=tick-label]", card);
  label.htmlFor = tick.id;
  label.textContent = `Photo ${number} goes with the referral`;
}

/**
 * @param {Shown} shown
 * @param {boolean} on
 */
export function veil(shown, on) {
  const { card, entry, number } = shown;
  shown.veiled = on;
  card.toggleAttribute("data-veiled", on);
  find("[data-field=veil]", card).hidden = !on;
  find("[data-field=veil]", card).textContent = `Sensitive place. Show photo ${number}`;
  find("[data-field=image]", card).alt = on ? "" : `${entry.title}. Look closer`;
}
