// @ts-check
import { ed25519 } from "@noble/curves/ed25519.js";
import { Fault } from "./fault.js";
import { fromBase64, fromJson } from "./octets.js";

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
const HASH = /^[0-9a-f]{64}$/;
const PHOTO_NAME = /^photos\/(\d\d)-[a-z0-9]+(-[a-z0-9]+)*\.jpg\.age$/;

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
  const manifest = fromJson(bytes);
  if (manifest?.version !== 1) {
    throw new Fault("version", "These photos were sealed in a newer format. Reload this page and try again.");
  }
  if (!isManifest(manifest))
    throw new Fault("manifest", "The list of photos cannot be read, so nothing was opened.");
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
    ...missing.map((name) => new Fault("missing", `${name} is missing: it was sent, but is not here.`, name)),
    ...added.map(
      (name) =>
        new Fault("added", `${name} was added: it is not on the signed list. It was not opened.`, name),
    ),
  ];
}

/**
 * @param {Uint8Array} bytes
 * @param {Uint8Array} signature
 * @param {string} signer
 */
function isSigned(bytes, signature, signer) {
  try {
    const [scheme, key] = signer.split(":");
    return scheme === "ed25519" && ed25519.verify(signature, bytes, fromBase64(key), { zip215: false });
  } catch {
    return false;
  }
}

/**
 * @param {any} value
 * @returns {value is Manifest}
 */
function isManifest(value) {
  return (
    value.format === "capture-bundle" &&
    Array.isArray(value.recipients) &&
    typeof value.practice?.ods === "string" &&
    Array.isArray(value.parts) &&
    value.parts.length > 1 &&
    value.parts.every(isPart)
  );
}

/**
 * The request comes first, then the photos, numbered: so no name comes twice.
 *
 * @param {any} part
 * @param {number} index
 */
function isPart(part, index) {
  const right =
    index === 0 ? part?.name === REQUEST_PART : Number(PHOTO_NAME.exec(part?.name)?.[1]) === index;
  return right && Number.isSafeInteger(part.size) && HASH.test(part.sha256);
}
