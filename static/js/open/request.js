// @ts-check
import { Fault } from "./fault.js";
import { called, REQUEST_PART } from "./manifest.js";
import { hex, sha256 } from "./octets.js";
import {
  listOf,
  mapOf,
  matching,
  number,
  orNull,
  PRACTICE,
  readJson,
  record,
  SHA256,
  STAMP,
  text,
  truth,
  whole,
} from "./records.js";

/** @typedef {import("./manifest.js").Manifest} Manifest */

/**
 * `request.json`, sealed in `request.json.age` (docs/FORMAT.md).
 * @typedef {object} Request
 * @property {number} version
 * @property {string} bundle
 * @property {string} request
 * @property {{ods: string, name: string}} practice
 * @property {string} receipt
 * @property {string} asked_by
 * @property {string} asked_at
 * @property {string} label
 * @property {string} reference
 * @property {string} nhs_number ten digits, or ""
 * @property {string} site
 * @property {string} side "", "left" or "right"
 * @property {string | null} snomed
 * @property {string} protocol
 * @property {Record<string, string>} answers
 * @property {string} note
 * @property {{version: string, at: string}} consent
 * @property {string} submitted_at
 * @property {PhotoEntry[]} photos
 *
 * @typedef {object} PhotoEntry
 * @property {string} part
 * @property {string} view
 * @property {string} title
 * @property {string | null} taken_at
 * @property {number} width pixels
 * @property {number} height pixels
 * @property {number} size bytes, opened
 * @property {string} sha256 of the opened bytes, lower-case hexadecimal
 * @property {{name: string, count: number}[]} removed
 * @property {boolean} lossless
 * @property {string} colour
 * @property {Record<string, number>} quality
 * @property {string[]} hints codes
 * @property {boolean} sent_anyway
 */

const MOST = Number.MAX_SAFE_INTEGER;
const PHOTO = record({
  part: text,
  view: text,
  title: text,
  taken_at: orNull(matching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/)),
  width: whole(1, MOST),
  height: whole(1, MOST),
  size: whole(1, MOST),
  sha256: matching(SHA256),
  removed: listOf(record({ name: text, count: whole(0, MOST) })),
  lossless: truth,
  colour: text,
  quality: mapOf(number),
  hints: listOf(text),
  sent_anyway: truth,
});
const REQUEST = record({
  version: whole(1, 1),
  bundle: text,
  request: text,
  practice: PRACTICE,
  receipt: text,
  asked_by: text,
  asked_at: matching(STAMP),
  label: text,
  reference: text,
  nhs_number: matching(/^([0-9]{10})?$/),
  site: text,
  side: text,
  snomed: orNull(text),
  protocol: text,
  answers: mapOf(text),
  note: text,
  consent: record({ version: text, at: matching(STAMP) }),
  submitted_at: matching(STAMP),
  photos: listOf(PHOTO),
});

/**
 * Read the sealed request and hold it against the signed manifest: bundle, request, practice, receipt, and the photos one by one.
 *
 * @param {Uint8Array} bytes of the opened request
 * @param {Manifest} manifest
 * @returns {Request}
 */
export function readRequest(bytes, manifest) {
  const request = parse(bytes);
  const bound =
    request.bundle === manifest.bundle &&
    request.request === manifest.request &&
    request.receipt === manifest.receipt &&
    request.practice.ods === manifest.practice.ods &&
    request.practice.name === manifest.practice.name;
  if (!bound) {
    throw new Fault(
      "request",
      "The sealed request belongs to other photos, so nothing is shown.",
      REQUEST_PART,
    );
  }
  const sealed = manifest.parts.slice(1).map((part) => part.name);
  const named = request.photos.map((photo) => photo.part);
  if (sealed.length !== named.length) {
    const sentence = `The request names ${named.length} photos, but ${sealed.length} were sealed, so nothing is shown.`;
    throw new Fault("count", sentence, REQUEST_PART);
  }
  if (sealed.some((name, index) => name !== named[index])) {
    throw new Fault(
      "count",
      "The request names other photos than were sealed, so nothing is shown.",
      REQUEST_PART,
    );
  }
  return request;
}

/**
 * @param {Uint8Array} bytes
 * @returns {Request}
 */
function parse(bytes) {
  try {
    const request = readJson(bytes);
    if (REQUEST(request)) return request;
  } catch {
    // Not JSON: named below.
  }
  throw new Fault(
    "request",
    "What was asked of the patient cannot be read, so nothing is shown.",
    REQUEST_PART,
  );
}

/**
 * Hold an opened photo against what the sealed request says of it.
 *
 * @param {Uint8Array} bytes
 * @param {PhotoEntry} entry
 */
export async function checkPhoto(bytes, entry) {
  if (bytes.length !== entry.size || hex(await sha256(bytes)) !== entry.sha256) {
    throw new Fault(
      "swapped",
      `${called(entry.part)} is not the photo the patient sent, and is not shown.`,
      entry.part,
    );
  }
  if (hex(bytes.subarray(0, 3)) !== "ffd8ff") {
    throw new Fault("kind", `${called(entry.part)} is not a JPEG picture, and is not shown.`, entry.part);
  }
}
