// @ts-check
// A JPEG without its metadata, losslessly: its segments are walked, and those that make the picture are kept byte for byte.
// Source: ITU-T T.81 annex B (markers), ECMA TR/98 (JFIF), ICC.1:2022 annex B.4 (profiles in APP2).
import { readExif, text, writeExif } from "./exif.js";

/** @import { Taken } from "./exif.js" */

const [SOI, EOI, SOS, DQT, DHT, DAC, DRI] = [0xd8, 0xd9, 0xda, 0xdb, 0xc4, 0xcc, 0xdd];
const [APP0, APP1, APP2, APP14, APP15, COM] = [0xe0, 0xe1, 0xe2, 0xee, 0xef, 0xfe];
const FRAMES = [0xc0, 0xc1, 0xc2, 0xc9, 0xca]; // what the server takes: sequential and progressive, by Huffman or arithmetic code
const PICTURE = new Set([SOS, DQT, DHT, DAC, DRI, ...FRAMES]);
const JFIF = [0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0]; // version 1.1, square pixels, no thumbnail
const ADOBE = [0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0]; // and the number of the colour transform behind it

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {Taken} taken - filled from its EXIF block
 * @returns {{ parts: Uint8Array<ArrayBuffer>[], wide: boolean }} the file in parts; nothing behind EOI is in it
 */
export function stripJpeg(bytes, taken) {
  const found = walk(bytes);
  const blocks = found.filter(({ marker, body }) => marker === APP1 && text(body, 0, 5) === "Exif\0");
  if (blocks.length) {
    Object.assign(taken, readExif(blocks[0].body));
  }
  const exif = writeExif(taken);
  const profile = found.filter(
    ({ marker, body }) => marker === APP2 && text(body, 0, 12) === "ICC_PROFILE\0",
  );
  const adobe = found.find(
    ({ marker, body }) => marker === APP14 && text(body, 0, 5) === "Adobe" && body.length > 11,
  );
  return {
    parts: [
      Uint8Array.of(0xff, SOI),
      ...(found.some(({ marker, body }) => marker === APP0 && text(body, 0, 5) === "JFIF\0")
        ? [segment(APP0, JFIF)]
        : []),
      ...(exif.length ? [segment(APP1, [0x45, 0x78, 0x69, 0x66, 0, 0, ...exif])] : []),
      ...profile.map(({ whole }) => whole),
      ...(adobe ? [segment(APP14, [...ADOBE, adobe.body[11]])] : []),
      ...found.filter(({ marker }) => PICTURE.has(marker)).map(({ whole }) => whole),
      Uint8Array.of(0xff, EOI),
    ],
    wide: profile.length > 0,
  };
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {{ marker: number, body: Uint8Array<ArrayBuffer>, whole: Uint8Array<ArrayBuffer> }[]} each segment up to EOI; a
 *   scan's coded data belong to the whole, not to the body
 */
function walk(bytes) {
  const found = [];
  let at = 2;
  for (;;) {
    const marker = bytes[at + 1];
    if (bytes[at] !== 0xff || marker === undefined) {
      throw new RangeError("not a whole picture");
    }
    if (marker === EOI) {
      return found;
    }
    if (marker === 0xff) {
      at += 1; // a fill byte
      continue;
    }
    const application = marker >= APP0 && marker <= APP15;
    if (!(application || marker === COM || PICTURE.has(marker))) {
      throw new RangeError("not a whole picture");
    }
    const body = at + 4;
    const end = at + 2 + (bytes[at + 2] << 8) + bytes[at + 3];
    const stop = marker === SOS ? endOfScan(bytes, end) : end;
    if (end < body || stop > bytes.length) {
      throw new RangeError("not a whole picture");
    }
    found.push({ marker, body: bytes.subarray(body, end), whole: bytes.subarray(at, stop) });
    at = stop;
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {number} from
 * @returns {number} where a marker ends the coded data: FF followed by anything but 00, a restart marker or a fill byte
 */
function endOfScan(bytes, from) {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1];
    if (next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) {
      return at;
    }
  }
  throw new RangeError("not a whole picture");
}

/**
 * @param {number} marker
 * @param {ArrayLike<number>} body
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function segment(marker, body) {
  const length = body.length + 2;
  return Uint8Array.from([0xff, marker, length >> 8, length & 255, ...Array.from(body)]);
}
