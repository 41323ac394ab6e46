// @ts-check
import { Fault } from "./fault.js";

const SIGNED_OUT = new Set([0, 302, 303, 401, 403]); // a redirect that is not followed shows as 0 in browsers

/**
 * Fetch sealed bytes from this server, and from nowhere else; nothing is kept in the browser's cache.
 *
 * @param {string} url
 * @param {string} name what the person knows it by
 * @returns {Promise<Uint8Array>}
 */
export async function fetchBytes(url, name) {
  let response;
  let bytes;
  try {
    response = await fetch(url, {
      mode: "same-origin",
      credentials: "same-origin",
      cache: "no-store",
      redirect: "manual",
    });
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch {
    throw new Fault("connection", "The connection to the server failed. Nothing was lost: try again.");
  }
  if (SIGNED_OUT.has(response.status)) {
    throw new Fault("signed-out", "You are signed out. Sign in again, then open the photos.");
  }
  if (response.status === 404) throw new Fault("missing", `${name} is missing from the server.`, name);
  if (!response.ok) throw new Fault("server", `The server could not send ${name}. Wait a minute, then try again.`, name);
  return bytes;
}
