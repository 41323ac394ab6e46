// @ts-check
// Metadata stays on the phone: what is not the picture is taken out before a photo is sent, and the picture's own bytes are not
// touched. The server does its own full clean all the same; this is so that location never leaves the phone.

import { stripPng, stripWebp } from "./chunks.js";
import { text, unknown } from "./exif.js";
import { stripHeif } from "./heif.js";
import { stripJpeg } from "./jpeg.js";

/** @import { Taken } from "./exif.js" */

/**
 * `wide`: the photo has a colour profile, so it may hold colours outside of sRGB.
 * @typedef {{ blob: Blob, taken: Taken, wide: boolean }} Bare
 */

/**
 * @typedef {{ parts: Uint8Array<ArrayBuffer>[], wide: boolean }} Kept
 * @type {[string, (bytes: Uint8Array<ArrayBuffer>) => boolean, (bytes: Uint8Array<ArrayBuffer>, taken: Taken) => Kept][]}
 */
const KINDS = [
  ["image/jpeg", (bytes) => text(bytes, 0, 3) === "\xff\xd8\xff", stripJpeg],
  ["image/png", (bytes) => text(bytes, 0, 8) === "\x89PNG\r\n\x1a\n", stripPng],
  ["image/webp", (bytes) => text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 4) === "WEBP", stripWebp],
  ["image/heic", (bytes) => text(bytes, 4, 4) === "ftyp", stripHeif],
];

/**
 * @param {Uint8Array<ArrayBuffer>} bytes - a whole file
 * @returns {Bare | undefined} undefined for what cannot be walked
 */
export function strip(bytes) {
  const taken = unknown();
  try {
    for (const [type, is, walk] of KINDS) {
      if (is(bytes)) {
        const { parts, wide } = walk(bytes, taken);
        return { blob: new Blob(parts, { type }), taken, wide };
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) {
      throw error; // damaged, cut short, or of a form that is not known here
    }
  }
  return undefined;
}
