// @ts-check
import { Decrypter } from "age-encryption";
import { Fault } from "./fault.js";
import { called, compareWithOrder, MAX_JSON, REQUEST_PART, readManifest } from "./manifest.js";
import { hex, sha256 } from "./octets.js";
import { checkPhoto, readRequest } from "./request.js";

/**
 * @typedef {import("./identity.js").Identity} Identity
 * @typedef {import("./manifest.js").SealedPart} SealedPart
 * @typedef {import("./request.js").PhotoEntry} PhotoEntry
 *
 * What the page asks to be opened; every address is on this server.
 * @typedef {object} Order
 * @property {string} bundle
 * @property {string} request
 * @property {string} practice its ODS code
 * @property {string} receipt
 * @property {string} manifestUrl
 * @property {string} signatureUrl
 * @property {{name: string, url: string}[]} parts
 * @property {{fingerprint: string, url: string, passkeys?: Passkey[]}[]} identities those that these photos are sealed to; all of
 *   the practice's where none is
 *
 * A key file that was wrapped to a passkey of the member who is here.
 * @typedef {{name: string, credential: string, url: string}} Passkey
 *
 * @typedef {object} Opened
 * @property {import("./request.js").Request} request
 * @property {{entry: PhotoEntry, bytes: Uint8Array}[]} photos only those that are as they were sent
 * @property {Fault[]} faults one for each part that is not
 * @property {{signer: string, key: string, parts: SealedPart[]}} checked
 *
 * @typedef {(words: string, done?: number, total?: number) => void} Progress without numbers: how long is not known
 * @typedef {(url: string, name: string, limit: number) => Promise<Uint8Array>} FetchBytes
 */

/**
 * Open a bundle: signature, request, then each photo. A Fault thrown means that nothing may be shown; a photo that is
 * not as it was sent is left out and named in `faults`.
 *
 * @param {Order} order
 * @param {Identity} identity the practice's, as Keyring.find gives it
 * @param {FetchBytes} fetchBytes
 * @param {Progress} progress
 * @returns {Promise<Opened>}
 */
export async function openBundle(order, identity, fetchBytes, progress) {
  progress("Checking the signature");
  const [bytes, signature] = await Promise.all([
    fetchBytes(order.manifestUrl, "bundle.json", MAX_JSON),
    fetchBytes(order.signatureUrl, "bundle.sig", 64),
  ]);
  const manifest = readManifest(bytes, signature, identity.signer);
  const faults = compareWithOrder(manifest, order);
  const key = identity.fingerprints.find((one) => manifest.recipients.includes(one));
  if (!key) {
    throw new Fault(
      "recipient",
      "Your practice’s key does not fit these photos. They were sealed to another key.",
    );
  }

  const open = opener(order, manifest.parts, identity, fetchBytes);
  progress("Opening the request");
  const request = readRequest(await open(REQUEST_PART), manifest);
  const photos = [];
  for (const [index, entry] of request.photos.entries()) {
    progress(`Opening photo ${index + 1} of ${request.photos.length}`, index, request.photos.length);
    if (faults.some((fault) => fault.part === entry.part)) continue;
    try {
      const photo = await open(entry.part);
      await checkPhoto(photo, entry);
      photos.push({ entry, bytes: photo });
    } catch (error) {
      if (!(error instanceof Fault) || !error.part) throw error;
      faults.push(error);
    }
  }
  return { request, photos, faults, checked: { signer: identity.signer, key, parts: manifest.parts } };
}

/**
 * @param {Order} order
 * @param {SealedPart[]} signed
 * @param {Identity} identity
 * @param {FetchBytes} fetchBytes
 * @returns {(name: string) => Promise<Uint8Array>} fetches a part, holds it against the signed list, and opens it
 */
function opener(order, signed, identity, fetchBytes) {
  const decrypter = new Decrypter();
  for (const secret of identity.secrets) decrypter.addIdentity(secret);
  return async (name) => {
    const part = signed.find((one) => one.name === name);
    const url = order.parts.find((one) => one.name === name)?.url;
    if (!part || !url) throw new Fault("missing", `${called(name)} was sent, but is missing here.`, name);
    const sealed = await fetchBytes(url, name, part.size);
    if (sealed.length !== part.size || hex(await sha256(sealed)) !== part.sha256) {
      throw new Fault("altered", `${called(name)} was altered after it was sealed, and is not shown.`, name);
    }
    try {
      return await decrypter.decrypt(sealed);
    } catch {
      throw new Fault("unreadable", `${called(name)} cannot be opened with your practice’s key.`, name);
    }
  };
}
