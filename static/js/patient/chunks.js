// @ts-check
// PNG and WebP without their metadata: both are a row of chunks, and those that make the picture are kept byte for byte.
// Source: PNG third edition (W3C 2025) sections 5 and 11, RFC 9649 (WebP).
import { readExif, text, writeExif } from "./exif.js";

/** @import { Taken } from "./exif.js" */

const PNG_PICTURE = new Set(
  "IHDR PLTE tRNS IDAT IEND gAMA cHRM sRGB sBIT bKGD iCCP cICP mDCV cLLI hIST sPLT".split(" "),
);
const WEBP_PICTURE = new Set(["VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF", "ICCP"]);
const [EXIF_FLAG, XMP_FLAG] = [8, 4];

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {Taken} taken - filled from its EXIF chunk
 * @returns {{ parts: Uint8Array<ArrayBuffer>[], wide: boolean }}
 */
export function stripPng(bytes, taken) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts = [bytes.subarray(0, 8)];
  let wide = false;
  for (let at = 8, name = ""; name !== "IEND"; ) {
    const end = at + 12 + view.getUint32(at);
    name = text(bytes, at + 4, 4);
    if (end > bytes.length) {
      throw new RangeError("not a whole picture");
    }
    if (name === "eXIf") {
      Object.assign(taken, readExif(bytes.subarray(at + 8, end - 4)));
    } else if (PNG_PICTURE.has(name)) {
      parts.push(bytes.subarray(at, end));
      wide ||= name === "iCCP" || name === "cICP";
    }
    at = end;
  }
  const exif = writeExif(taken);
  if (exif.length) {
    parts.splice(2, 0, pngChunk("eXIf", exif)); // behind IHDR
  }
  return { parts, wide };
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {Taken} taken - filled from its EXIF chunk
 * @returns {{ parts: Uint8Array<ArrayBuffer>[], wide: boolean }}
 */
export function stripWebp(bytes, taken) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const file = 8 + view.getUint32(4, true);
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const chunks = [];
  for (let at = 12; at + 8 <= file; ) {
    const length = view.getUint32(at + 4, true);
    const [name, end] = [text(bytes, at, 4), at + 8 + length + (length % 2)];
    if (at + 8 + length > Math.min(file, bytes.length)) {
      throw new RangeError("not a whole picture");
    }
    if (name === "EXIF") {
      Object.assign(taken, readExif(bytes.subarray(at + 8, at + 8 + length)));
    } else if (WEBP_PICTURE.has(name)) {
      chunks.push(bytes.slice(at, end)); // a copy: VP8X is written to below
    }
    at = end;
  }
  const extended = chunks.find((chunk) => text(chunk, 0, 4) === "VP8X");
  const exif = writeExif(taken);
  if (extended) {
    extended[8] &= ~(EXIF_FLAG | XMP_FLAG);
    if (exif.length) {
      extended[8] |= EXIF_FLAG;
      chunks.push(webpChunk("EXIF", exif));
    }
  }
  const head = bytes.slice(0, 12);
  const size = 4 + chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  new DataView(head.buffer).setUint32(4, size, true);
  return { parts: [head, ...chunks], wide: chunks.some((chunk) => text(chunk, 0, 4) === "ICCP") };
}

/**
 * @param {string} name
 * @param {Uint8Array} body
 * @returns {Uint8Array<ArrayBuffer>}
 */
function pngChunk(name, body) {
  const chunk = new Uint8Array(12 + body.length);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, body.length);
  chunk.set(letters(name), 4);
  chunk.set(body, 8);
  view.setUint32(8 + body.length, crc(chunk.subarray(4, 8 + body.length)));
  return chunk;
}

/**
 * @param {string} name
 * @param {Uint8Array} body
 * @returns {Uint8Array<ArrayBuffer>}
 */
function webpChunk(name, body) {
  const chunk = new Uint8Array(8 + body.length + (body.length % 2));
  chunk.set(letters(name));
  new DataView(chunk.buffer).setUint32(4, body.length, true);
  chunk.set(body, 8);
  return chunk;
}

/** @param {string} name */
function letters(name) {
  return Array.from(name, (letter) => letter.charCodeAt(0));
}

/**
 * @param {Uint8Array} bytes
 * @returns {number} CRC-32 as PNG section 5.5 has it
 */
function crc(bytes) {
  let rest = 0xffffffff;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
    }
  }
  return ~rest >>> 0;
}
