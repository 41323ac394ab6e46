// @ts-check
import { ed25519 } from "@noble/curves/ed25519.js";
import { Fault } from "./fault.js";
import { fromBase64 } from "./octets.js";
import {
  listOf,
  matching,
  oneOrMore,
  PRACTICE,
  readJson,
  record,
  SHA256,
  STAMP,
  text,
  whole,
} from "./records.js";

/**
 * `bundle.json` (docs/FORMAT.md).
 * @typedef {object} Manifest
 * @property {string} bundle
 * @property {string} request
 * @property {string} receipt
 * @property {{ods: string, name: string}} practice
 * @property {string[]} recipients fingerprints
 * @property {string} created
 * @property {SealedPart[]} parts the request, then the photos in order
 *
 * @typedef {object} SealedPart
 * @property {string} name
 * @property {number} size bytes, sealed
 * @property {string} sha256 of the sealed bytes, lower-case hexadecimal
 */

export const REQUEST_PART = "request.json.age";
export const MAX_JSON = 1024 * 1024; // bytes, of bundle.json and of request.json.age
const MAX_PHOTO = 160 * 1024 * 1024;
const PHOTO_NAME = /^photos\/(\d\d)-(?=.{1,40}\.jpg)([a-z0-9]+(?:-[a-z0-9]+)*)\.jpg\.age$/;
const ID = matching(/^[A-Za-z0-9_-]{1,64}$/);
const MANIFEST = record({
  format: matching(/^capture-bundle$/),
  version: whole(1, 1),
  bundle: ID,
  request: ID,
  receipt: matching(/^[A-Z0-9-]{4,16}$/),
  practice: PRACTICE,
  recipients: oneOrMore(matching(/^[0-9a-f]{4}(-[0-9a-f]{4}){7}$/)),
  created: matching(STAMP),
  parts: listOf(record({ name: text, size: whole(1, MAX_PHOTO), sha256: matching(SHA256) })),
});

/**
 * What a person calls a part.
 *
 * @param {string} name
 */
export function called(name) {
  if (name === REQUEST_PART) return "The sealed request";
  const [, number, view] = PHOTO_NAME.exec(name) ?? [];
  return number ? `Photo ${Number(number)} (${view})` : name;
}

/**
 * Verify the server's signature over `bundle.json`, and only then read it.
 *
 * @param {Uint8Array} bytes of `bundle.json`
 * @param {Uint8Array} signature of `bundle.sig`, 64 bytes
 * @param {string} signer that the practice pinned, `ed25519:` and base64
 * @returns {Manifest}
 */
export function readManifest(bytes, signature, signer) {
  if (!isSigned(bytes, signature, signer)) {
    throw new Fault(
      "signature",
      "The signature is not the one your practice trusts. The list of photos may have been changed, so nothing was opened.",
    );
  }
  const manifest = parse(bytes);
  if (manifest?.format === "capture-bundle" && Number(manifest.version) > 1) {
    throw new Fault("version", "These photos were sealed in a newer format. Reload this page and try again.");
  }
  if (!MANIFEST(manifest) || !areParts(manifest.parts)) {
    throw new Fault("manifest", "The list of photos cannot be read, so nothing was opened.");
  }
  return manifest;
}

/**
 * Hold what was signed against what the page was asked to open, and against the parts that the server offers.
 *
 * @param {Manifest} manifest
 * @param {{bundle: string, request: string, practice: string, receipt: string, parts: {name: string}[]}} order
 * @returns {Fault[]} one for each part that is missing or was added
 */
export function compareWithOrder(manifest, order) {
  const same =
    manifest.bundle === order.bundle &&
    manifest.request === order.request &&
    manifest.practice.ods === order.practice &&
    manifest.receipt === order.receipt;
  if (!same) {
    throw new Fault(
      "bundle",
      "These are the photos of another request, not of the one you chose. Nothing was opened.",
    );
  }
  const signed = new Set(manifest.parts.map((part) => part.name));
  const offered = new Set(order.parts.map((part) => part.name));
  const missing = [...signed].filter((name) => !offered.has(name));
  const added = [...offered].filter((name) => !signed.has(name));
  return [
    ...missing.map((name) => new Fault("missing", `${called(name)} was sent, but is missing here.`, name)),
    ...added.map(
      (name) =>
        new Fault(
          "added",
          `${called(name)} was added: it is not on the signed list, and is not shown.`,
          name,
        ),
    ),
  ];
}

/**
 * @param {Uint8Array} bytes
 * @param {Uint8Array} signature
 * @param {string} signer
 */
function isSigned(bytes, signature, signer) {
  const key = /^ed25519:([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)$/.exec(signer)?.[1];
  try {
    return key !== undefined && ed25519.verify(signature, bytes, fromBase64(key), { zip215: false });
  } catch {
    return false;
  }
}

/**
 * @param {Uint8Array} bytes
 * @returns {any} undefined where it is not canonical JSON
 */
function parse(bytes) {
  try {
    return readJson(bytes, { canonical: true });
  } catch {
    return undefined;
  }
}

/**
 * The request comes first, then one photo or more, numbered from 01: so no name comes twice.
 *
 * @param {SealedPart[]} parts
 */
function areParts([request, ...photos]) {
  const isRequest = request?.name === REQUEST_PART && request.size <= MAX_JSON;
  return (
    isRequest &&
    photos.length > 0 &&
    photos.every(({ name }, index) => Number(PHOTO_NAME.exec(name)?.[1]) === index + 1)
  );
}
