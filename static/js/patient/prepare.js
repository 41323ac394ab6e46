// @ts-check
// A photo as it leaves the phone: without its metadata, and no larger than the connection and the server take.
import { shrink } from "./shrink.js";
import { strip } from "./strip.js";

const SLOW = 100_000; // bytes a second, below which a photo of 4 MB takes more than 40 s
const LIGHT = 700_000; // bytes that are sent as they are even then

/**
 * @param {Blob} photo - as it came
 * @param {{ maxBytes: number, rate: number }} limits - `rate`: bytes a second as measured, 0 before
 * @returns {Promise<Blob>} never one that is empty: what can neither be read nor drawn here goes as it is, and the server
 *   cleans it, as it cleans every photo, or says that it cannot use it
 */
export async function prepare(photo, { maxBytes, rate }) {
  const bytes = new Uint8Array(await photo.arrayBuffer());
  const bare = strip(bytes);
  const large = (bare?.blob ?? photo).size > maxBytes;
  const slow = isSlow(rate) && photo.size > LIGHT;
  if (bare && !large && !slow) {
    return bare.blob;
  }
  const small = await shrink(photo, { maxBytes, taken: bare?.taken, wide: bare?.wide ?? true });
  if (!bare) {
    return small ?? new Blob([bytes], { type: photo.type }); // in memory: a camera's file may be gone when its turn comes
  }
  return small && small.size < bare.blob.size ? small : bare.blob;
}

/**
 * @param {number} rate
 * @returns {boolean}
 */
function isSlow(rate) {
  /** @type {{ effectiveType?: string, saveData?: boolean } | undefined} */
  const connection = /** @type {any} */ (navigator).connection;
  const told = connection?.saveData || ["slow-2g", "2g", "3g"].includes(connection?.effectiveType ?? "");
  return told || (rate > 0 && rate < SLOW);
}
