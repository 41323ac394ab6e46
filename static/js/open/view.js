// @ts-check
import { fileName } from "./names.js";
import { about, place, removed, size, told, when } from "./words.js";

/** @typedef {import("../open-worker.js").Answer} Answer */

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
 * Show what was opened. Everything is set as text, never as HTML.
 *
 * @param {Answer} answer
 * @param {HTMLElement} section to fill
 * @returns {{links: HTMLAnchorElement[], forget: () => void}} the links that save a photo each; `forget` frees every picture
 */
export function show(answer, section) {
  const page = find("#opened-template").content.cloneNode(true);
  if (answer.faults.length > 0) find("[data-part=intact]", page).remove();
  fillList(find("[data-list=checked]", page), [
    ["Signature", `Right. Signed by ${answer.checked.signer}, as your practice’s key file says.`],
    ["Key", `Opened with ${answer.checked.key}`],
    ["Request", "Belongs to these photos: same practice, same receipt, same number of photos."],
  ]);
  find("[data-list=parts]", page).append(...answer.checked.parts.map((part) => partLine(part, answer)));
  fillList(find("[data-list=request]", page), requestRows(answer));
  fillList(find("[data-list=consent]", page), consentRows(answer));
  const urls = answer.photos.map(({ bytes }) =>
    URL.createObjectURL(new Blob([/** @type {BlobPart} */ (bytes)], { type: "image/jpeg" })),
  );
  const cards = answer.photos.map((_, index) => photoCard(answer, index, urls[index]));
  find("[data-list=photos]", page).append(...cards);
  section.replaceChildren(page);
  return {
    links: cards.map((card) => find("[data-field=save]", card)),
    forget: () => {
      section.replaceChildren();
      urls.forEach(URL.revokeObjectURL);
    },
  };
}

/**
 * @param {Answer} answer
 * @param {number} index
 * @param {string} url
 * @returns {HTMLElement}
 */
function photoCard(answer, index, url) {
  const { entry } = answer.photos[index];
  const total = answer.request.photos.length;
  const number = answer.request.photos.findIndex((photo) => photo.part === entry.part) + 1;
  const card = find("#photo-template").content.cloneNode(true).firstElementChild;
  find("[data-field=title]", card).textContent = `${number} of ${total}: ${entry.title}`;
  find("[data-field=about]", card).textContent = about(entry);
  find("[data-field=removed]", card).textContent = removed(entry);
  const note = find("[data-field=told]", card);
  note.textContent = told(entry);
  note.hidden = note.textContent === "";
  const image = find("[data-field=image]", card);
  Object.assign(image, {
    src: url,
    alt: `${entry.title}. See it in full size`,
    width: entry.width,
    height: entry.height,
  });
  const link = find("[data-field=save]", card);
  Object.assign(link, { href: url, download: fileName(answer.request, entry, number, total) });
  link.textContent = `Save photo ${number}`;
  find("[data-do=closer]", card).addEventListener("click", () => {
    showCloser(url, entry);
  });
  return card;
}

/**
 * The photo in its full size, the middle of it first.
 *
 * @param {string} url
 * @param {{title: string, width: number, height: number}} entry
 */
function showCloser(url, { title, width, height }) {
  Object.assign(find("#closer-image"), { src: url, alt: title, width, height });
  find("#closer").showModal();
  const frame = find(".app-closer__frame");
  frame.scrollTo((width - frame.clientWidth) / 2, (height - frame.clientHeight) / 2);
}

const MISSING = "not taken: ";

/** @param {Answer} answer @returns {[string, string][]} */
function requestRows({ request }) {
  const missing = Object.entries(request.answers).filter(([question]) => question.startsWith(MISSING));
  return [
    ["Patient", request.label],
    ["Reference", request.reference],
    ["Photos of", place(request)],
    ...missing.map(capital),
    ["Note from the patient", request.note],
    ["Sent", when(request.submitted_at)],
    ["Asked for by", `${request.asked_by}, ${when(request.asked_at)}`],
    ["Receipt", request.receipt],
  ];
}

/** @param {Answer} answer @returns {[string, string][]} */
function consentRows({ request: { consent, answers } }) {
  return [
    ["Agreed", `${when(consent.at)}, to wording ${consent.version}`],
    ...Object.entries(answers)
      .filter(([question]) => !question.startsWith(MISSING))
      .map(capital),
  ];
}

/** @param {[string, string]} pair @returns {[string, string]} */
const capital = ([term, value]) => [term.charAt(0).toUpperCase() + term.slice(1), value];

/**
 * @param {import("./manifest.js").SealedPart} part
 * @param {Answer} answer
 */
function partLine(part, { faults }) {
  const item = document.createElement("li");
  const fault = faults.find((one) => one.part === part.name);
  const hash = document.createElement("code");
  hash.textContent = part.sha256;
  item.append(
    `${part.name}, ${size(part.size)}: ${fault ? "not as it was sent" : "as it was sent"}. SHA-256 `,
    hash,
  );
  return item;
}

/**
 * @param {HTMLElement} list a summary list
 * @param {[string, string][]} rows term and text; rows without a text are left out
 */
function fillList(list, rows) {
  for (const [term, value] of rows.filter(([, one]) => one)) {
    const row = document.createElement("div");
    row.className = "nhsuk-summary-list__row";
    const key = document.createElement("dt");
    key.className = "nhsuk-summary-list__key";
    key.textContent = term;
    const data = document.createElement("dd");
    data.className = "nhsuk-summary-list__value";
    data.textContent = value;
    row.append(key, data);
    list.append(row);
  }
}
