// @ts-check
// Of EXIF only what the practice needs stays: which way is up, and when the photo was taken. Read without trusting it, and
// written anew, so that nothing else can come along. Source: TIFF 6.0 section 2, CIPA DC-008 (Exif 3.0).

/** @typedef {{ orientation: number, time: string, offset: string }} Taken - `time` as EXIF writes it; "" where it is not known */

const ORIENTATION = 0x0112;
const EXIF = 0x8769;
const TIME = 0x9003;
const OFFSET = 0x9011;
const [SHORT, LONG, ASCII] = [3, 4, 2];
const MAX_ENTRIES = 512;

/** @returns {Taken} */
export function unknown() {
  return { orientation: 1, time: "", offset: "" };
}

/**
 * @param {Uint8Array} untrusted - a TIFF structure, with or without the "Exif\0\0" before it
 * @returns {Taken} what it says, as far as it can be read
 */
export function readExif(untrusted) {
  const head = text(untrusted, 0, 6) === "Exif\0\0" ? 6 : 0;
  const tiff = untrusted.subarray(head);
  const order = text(tiff, 0, 4);
  const taken = unknown();
  if (tiff.length < 8 || (order !== "II*\0" && order !== "MM\0*")) {
    return taken;
  }
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const little = order === "II*\0";
  const directory = readDirectory(view, little, view.getUint32(4, little), taken, tiff);
  if (directory) {
    readDirectory(view, little, directory, taken, tiff);
  }
  return taken;
}

/**
 * @param {DataView} view
 * @param {boolean} little
 * @param {number} offset
 * @param {Taken} taken - filled
 * @param {Uint8Array} tiff
 * @returns {number} the offset of the Exif directory, or 0
 */
function readDirectory(view, little, offset, taken, tiff) {
  let inner = 0;
  if (offset < 8 || offset > view.byteLength - 2) {
    return inner;
  }
  const count = Math.min(view.getUint16(offset, little), MAX_ENTRIES);
  for (let at = offset + 2; at + 12 <= Math.min(view.byteLength, offset + 2 + 12 * count); at += 12) {
    const [tag, kind] = [view.getUint16(at, little), view.getUint16(at + 2, little)];
    const [length, value] = [view.getUint32(at + 4, little), view.getUint32(at + 8, little)];
    if (tag === ORIENTATION && kind === SHORT) {
      const orientation = view.getUint16(at + 8, little);
      taken.orientation = orientation >= 1 && orientation <= 8 ? orientation : 1;
    } else if (tag === EXIF && kind === LONG) {
      inner = value;
    } else if (tag === TIME && kind === ASCII && length === 20) {
      taken.time = text(tiff, value, 19).match(/^\d{4}:\d\d:\d\d \d\d:\d\d:\d\d$/)?.[0] ?? "";
    } else if (tag === OFFSET && kind === ASCII && length === 7) {
      taken.offset = text(tiff, value, 6).match(/^[+-]\d\d:\d\d$/)?.[0] ?? "";
    }
  }
  return inner;
}

/**
 * @param {Taken} taken
 * @returns {Uint8Array<ArrayBuffer>} a TIFF structure that says this and nothing more; empty where there is nothing to say
 */
export function writeExif({ orientation, time, offset }) {
  const texts = /** @type {[number, string][]} */ ([
    [TIME, time],
    [OFFSET, time && offset],
  ]).filter(([, value]) => value);
  if (orientation === 1 && texts.length === 0) {
    return new Uint8Array(0);
  }
  const main = 8;
  const inner = main + 2 + 12 * (texts.length ? 2 : 1) + 4;
  let end = texts.length ? inner + 2 + 12 * texts.length + 4 : inner;
  const view = new DataView(
    new ArrayBuffer(end + texts.reduce((sum, [, value]) => sum + value.length + 1, 0)),
  );
  view.setUint32(0, 0x4d4d002a);
  view.setUint32(4, main);
  view.setUint16(main, texts.length ? 2 : 1);
  entry(view, main + 2, ORIENTATION, SHORT, 1, orientation << 16);
  if (texts.length) {
    entry(view, main + 14, EXIF, LONG, 1, inner);
    view.setUint16(inner, texts.length);
  }
  texts.forEach(([tag, value], number) => {
    entry(view, inner + 2 + 12 * number, tag, ASCII, value.length + 1, end);
    for (const letter of value) {
      view.setUint8(end++, letter.charCodeAt(0));
    }
    end += 1; // the final 0
  });
  return new Uint8Array(view.buffer);
}

/**
 * @param {DataView} view
 * @param {number} at
 * @param {number} tag
 * @param {number} kind
 * @param {number} count
 * @param {number} value
 */
function entry(view, at, tag, kind, count, value) {
  view.setUint16(at, tag);
  view.setUint16(at + 2, kind);
  view.setUint32(at + 4, count);
  view.setUint32(at + 8, value);
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {number} length
 * @returns {string} those bytes, each as one letter
 */
export function text(bytes, at, length) {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
