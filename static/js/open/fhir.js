// @ts-check
// Opened photos as one FHIR R4 Bundle: for each a UK Core DocumentReference, and the Binary that it points to (docs/fhir.md). It is
// to the byte the file that capture/sealing/fhir.py writes.
import { hex } from "./octets.js";

/** @typedef {import("./request.js").Request} Request */
/** @typedef {Pick<import("./view.js").Shown, "entry" | "number" | "total" | "name" | "blob">} Photo */
/** @typedef {Record<string, any>} Members */

const PROFILE = "https://fhir.hl7.org.uk/StructureDefinition/UKCore-DocumentReference";
const NHS_NUMBER = "https://fhir.nhs.uk/Id/nhs-number";
const ODS_CODE = "https://fhir.nhs.uk/Id/ods-organization-code";
const UBRN = "https://fhir.nhs.uk/Id/UBRN";
const URI = "urn:ietf:rfc:3986";
const SNOMED = "http://snomed.info/sct";
const PHOTO = { system: "http://loinc.org", code: "72170-4" };
const IMAGE = {
  system: "http://terminology.hl7.org/CodeSystem/media-type",
  code: "image",
  display: "Image",
};
const OURS = "0c4fa5d38f6e4c1b9a522f4be1d7c6a8"; // the namespace of the ids
const TAKEN =
  /^(?!0000)([0-9]{4}-[0-9]{2}-[0-9]{2})T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)([.][0-9]+)?(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))?$/;
const AT_ONCE = 3 << 13; // bytes, a multiple of three, so that the pieces of base64 join without padding

/**
 * @param {Request} request
 * @param {Photo[]} photos those to write
 * @returns {Promise<Blob>} JSON; made photo by photo, so that no text as long as all of them is ever needed
 */
export async function writeFhir(request, photos) {
  const own = await uuid(request.bundle, ...photos.map(({ entry }) => entry.part));
  const head = { resourceType: "Bundle", id: own, identifier: uri(own), type: "transaction" };
  /** @type {(string | Blob)[]} */
  const pieces = [`${JSON.stringify(head).slice(0, -1)},"entry":[`];
  for (const [index, photo] of photos.entries()) {
    const bytes = new Uint8Array(await photo.blob.arrayBuffer());
    const document = await documentOf(request, photo, bytes);
    const binary = {
      resourceType: "Binary",
      id: await uuid(request.bundle, photo.entry.part, "Binary"),
      contentType: "image/jpeg",
      data: "",
    };
    const condition = { ifNoneExist: `identifier=${URI}|urn:uuid:${document.id}` };
    const [before, after] = JSON.stringify(entryOf(binary, {})).split('"data":""');
    const text = [
      `${index ? "," : ""}${JSON.stringify(entryOf(document, condition))},${before}"data":"`,
      ...base64(bytes),
      `"${after}`,
    ];
    pieces.push(new Blob(text));
  }
  return new Blob([...pieces, "]}\n"], { type: "application/fhir+json" });
}

/**
 * The DocumentReference of one photo.
 *
 * @param {Request} request
 * @param {Photo} photo
 * @param {Uint8Array} bytes its JPEG
 * @returns {Promise<Members>}
 */
async function documentOf(request, { entry, number, total, name }, bytes) {
  const own = await uuid(request.bundle, entry.part, "DocumentReference");
  const where = words(`${request.side} ${request.site}`);
  const practice = full({
    type: "Organization",
    identifier: { system: ODS_CODE, value: request.practice.ods },
    display: words(request.practice.name),
  });
  const attachment = full({
    contentType: "image/jpeg",
    url: `urn:uuid:${await uuid(request.bundle, entry.part, "Binary")}`,
    size: bytes.length,
    hash: base64(await sha1(bytes)).join(""),
    title: name,
    creation: creation(entry.taken_at ?? ""),
  });
  return full({
    resourceType: "DocumentReference",
    id: own,
    meta: { profile: [PROFILE] },
    identifier: [uri(own)],
    status: "current",
    type: { coding: [PHOTO], text: "Photo from a patient" },
    category: [{ coding: [IMAGE] }],
    subject: subject(request),
    date: request.submitted_at,
    author: [practice],
    custodian: practice,
    description: words(`${entry.title}, ${where}. Photo ${number} of ${total}.`),
    content: [{ attachment }],
    context: full({ event: place(request.snomed, where), related: referral(request.reference) }),
  });
}

/**
 * The patient by NHS number; without one by the words that staff know them by, which say nothing to a program.
 *
 * @param {Request} request
 */
function subject({ nhs_number: number, label }) {
  if (number) return { type: "Patient", identifier: { system: NHS_NUMBER, value: number } };
  const display = words(label);
  return display ? { type: "Patient", display } : undefined;
}

/**
 * The place on the body: DocumentReference has no element of its own for it.
 *
 * @param {string | null} snomed
 * @param {string} text
 */
function place(snomed, text) {
  const concept = full({ coding: snomed ? [{ system: SNOMED, code: snomed }] : undefined, text });
  return Object.keys(concept).length ? [concept] : undefined;
}

/**
 * The referral that the photos belong to, where the reference is a UBRN of the e-Referral Service.
 *
 * @param {string} reference
 */
const referral = (reference) =>
  /^[0-9]{12}$/.test(reference)
    ? [{ type: "ServiceRequest", identifier: { system: UBRN, value: reference } }]
    : undefined;

/**
 * When the photo was taken: to the day where the camera told no offset, which FHIR wants beside a time of day.
 *
 * @param {string} taken
 */
function creation(taken) {
  const [whole, day, , , , offset] = TAKEN.exec(taken) ?? [];
  const time = Date.parse(`${day}T00:00:00Z`);
  if (!whole || Number.isNaN(time) || !new Date(time).toISOString().startsWith(day)) return "";
  return offset ? whole : day;
}

/**
 * @param {Members} resource
 * @param {Members} condition
 */
const entryOf = (resource, condition) => ({
  fullUrl: `urn:uuid:${resource.id}`,
  resource,
  request: { method: "POST", url: resource.resourceType, ...condition },
});

/** @param {string} own */
const uri = (own) => ({ system: URI, value: `urn:uuid:${own}` });

/**
 * The same names always give the same id (RFC 9562, version 5).
 *
 * @param {...string} names
 */
async function uuid(...names) {
  const space = OURS.match(/../g) ?? [];
  const name = new TextEncoder().encode(names.join("/"));
  const digest = await sha1(Uint8Array.of(...space.map((pair) => Number.parseInt(pair, 16)), ...name));
  digest[6] = (digest[6] & 0x0f) | 0x50;
  digest[8] = (digest[8] & 0x3f) | 0x80;
  return hex(digest.subarray(0, 16)).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** @param {Uint8Array} bytes */
async function sha1(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-1", /** @type {BufferSource} */ (bytes)));
}

/** @param {Uint8Array} bytes @returns {string[]} pieces */
function base64(bytes) {
  const pieces = [];
  for (let at = 0; at < bytes.length; at += AT_ONCE)
    pieces.push(btoa(String.fromCharCode(...bytes.subarray(at, at + AT_ONCE))));
  return pieces;
}

/** @param {Members} members @returns {Members} without what is empty, which FHIR does not allow */
const full = (members) =>
  Object.fromEntries(
    Object.entries(members).filter(([, value]) => value && (typeof value !== "object" || !isEmpty(value))),
  );

/** @param {object} value */
const isEmpty = (value) => Object.keys(value).length === 0;

/** @param {string} text @returns {string} on one line, without control characters */
const words = (text) => text.replace(/[\p{Cc} ]+/gu, " ").replace(/^ | $/g, "");
