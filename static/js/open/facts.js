// @ts-check
import { about, place, removed, size, told, when } from "./words.js";

/** @typedef {import("../open-worker.js").Answer} Answer */

const MISSING = "not taken: ";

/**
 * What was asked and said, by term; rows without a text are to be left out.
 *
 * @param {Answer} answer
 * @returns {[string, string][]}
 */
export function requestRows({ request }) {
  const missing = Object.entries(request.answers).filter(([question]) => question.startsWith(MISSING));
  return [
    ["Patient", request.label],
    ["Reference", request.reference],
    ["NHS number", request.nhs_number.replace(/^(...)(...)/, "$1 $2 ")],
    ["Photos of", place(request)],
    ...missing.map(capital),
    ["Note from the patient", request.note],
    ["Sent", when(request.submitted_at)],
    ["Asked for by", `${request.asked_by}, ${when(request.asked_at)}`],
    ["Receipt", request.receipt],
  ];
}

/** @param {Answer} answer @returns {[string, string][]} */
export function consentRows({ request: { consent, answers } }) {
  return [
    ["Agreed", `${when(consent.at)}, to wording ${consent.version}`],
    ...Object.entries(answers)
      .filter(([question]) => !question.startsWith(MISSING))
      .map(capital),
  ];
}

/** @param {Answer} answer @returns {[string, string][]} */
export function checkedRows({ checked }) {
  return [
    ["Signature", `Right. Signed by ${checked.signer}, as your practice’s key file says.`],
    ["Key", `Opened with ${checked.key}`],
    ["Request", "Belongs to these photos: same practice, same receipt, same number of photos."],
  ];
}

/** @param {[string, string]} pair @returns {[string, string]} */
const capital = ([term, value]) => [term.charAt(0).toUpperCase() + term.slice(1), value];

/**
 * The same for a PDF: a sheet with the request, then one for each of these photos.
 *
 * @param {Answer} answer
 * @param {import("./view.js").Shown[]} chosen
 * @returns {import("./pdf.js").Sheet[]}
 */
export function sheets(answer, chosen) {
  const rows = [...requestRows(answer), ...consentRows(answer)].filter(([, value]) => value);
  const request = { title: "Photos from a patient", lines: rows.map(([term, value]) => `${term}: ${value}`) };
  return [
    request,
    ...chosen.map(({ number, total, entry, blob }) => ({
      title: `${number} of ${total}: ${entry.title}`,
      lines: [about(entry), told(entry), removed(entry)].filter(Boolean),
      jpeg: blob,
    })),
  ];
}

/**
 * @param {import("./manifest.js").SealedPart} part
 * @param {Answer} answer
 */
export function partLine(part, { faults }) {
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
export function fillList(list, rows) {
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
