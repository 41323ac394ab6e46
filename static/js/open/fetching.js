// @ts-check
import { Fault } from "./fault.js";
import { called } from "./manifest.js";

const SIGNED_OUT = new Set([0, 302, 303, 401, 403]); // a redirect that is not followed shows as 0 in browsers

/**
 * Fetch sealed bytes from this server, and from nowhere else; nothing is kept in the browser's cache.
 *
 * @param {string} url
 * @param {string} name of the part
 * @param {number} limit bytes; more is not read
 * @returns {Promise<Uint8Array>}
 */
export async function fetchBytes(url, name, limit) {
  let response;
  let bytes;
  try {
    response = await fetch(url, {
      mode: "same-origin",
      credentials: "same-origin",
      cache: "no-store",
      redirect: "manual",
    });
    bytes = response.ok ? await readUpTo(limit, response) : null;
  } catch {
    throw new Fault("connection", "The connection to the server failed. Nothing was lost: try again.");
  }
  if (SIGNED_OUT.has(response.status)) {
    throw new Fault("signed-out", "You are signed out. Sign in again, then open the photos.");
  }
  if (response.status === 404)
    throw new Fault("missing", `${called(name)} was sent, but is missing here.`, name);
  if (!response.ok)
    throw new Fault(
      "server",
      `${called(name)} could not be fetched from the server. Wait a minute, then try again.`,
      name,
    );
  if (!bytes)
    throw new Fault("altered", `${called(name)} is larger than what was sent, and is not shown.`, name);
  return bytes;
}

/**
 * @param {number} limit
 * @param {Response} response
 * @returns {Promise<Uint8Array | null>} null where there is more
 */
async function readUpTo(limit, response) {
  const reader = response.body?.getReader();
  const pieces = [];
  let length = 0;
  for (let step = await reader?.read(); step && !step.done; step = await reader?.read()) {
    pieces.push(step.value);
    length += step.value.length;
    if (length <= limit) continue;
    await reader?.cancel();
    return null;
  }
  return new Uint8Array(await new Blob(/** @type {BlobPart[]} */ (pieces)).arrayBuffer());
}
