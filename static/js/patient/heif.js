// @ts-check
// HEIC and AVIF without their metadata. The file's boxes point at each other by offsets, so nothing moves: what is not the
// picture is overwritten in place. Source: ISO/IEC 14496-12 sections 4.2 and 8.11, ISO/IEC 23008-12 (HEIF) annex A.
import { readExif, text, writeExif } from "./exif.js";

/** @import { Taken } from "./exif.js" */
/** @typedef {{ name: string, at: number, body: number, end: number }} Box - offsets in the file */

const TOP = new Set(["ftyp", "meta", "mdat", "moov"]);
const IN_META = new Set(["hdlr", "pitm", "iloc", "iinf", "iprp", "iref", "idat", "dinf", "grpl", "ipro"]);
const METADATA = new Set(["Exif", "mime", "uri "]); // kinds of items; mime is XMP
const TOO_LARGE = 2 ** 31;

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {Taken} taken - filled from its EXIF item
 * @returns {{ parts: Uint8Array<ArrayBuffer>[], wide: boolean }} of the same length, but for what is behind the last box
 */
export function stripHeif(bytes, taken) {
  const copy = bytes.slice();
  const file = new DataView(copy.buffer);
  const top = boxes(file, 0, copy.length, true);
  const meta = top.find(({ name }) => name === "meta");
  if (!meta) {
    throw new RangeError("not a whole picture");
  }
  const inner = boxes(file, meta.body + 4, meta.end);
  blankItems(file, inner, taken);
  blankProperties(file, inner);
  for (const box of [
    ...top.filter(({ name }) => !TOP.has(name)),
    ...inner.filter(({ name }) => !IN_META.has(name)),
    ...moving(file, top),
  ]) {
    copy.set([0x66, 0x72, 0x65, 0x65], box.at + 4); // "free"
    copy.fill(0, box.body, box.end);
  }
  return { parts: [copy.subarray(0, top[top.length - 1].end)], wide: true };
}

/**
 * @param {DataView} file
 * @param {number} from
 * @param {number} to
 * @param {boolean} [loose] - what is behind the last whole box is not read, and is no fault
 * @returns {Box[]} at one level
 */
function boxes(file, from, to, loose = false) {
  const found = [];
  for (let at = from; at < to; ) {
    const small = at + 8 <= to ? file.getUint32(at) : 0;
    const wide = small === 1 && at + 16 <= to;
    const size = wide ? uint(file, at + 8, 8) : small || to - at;
    const body = at + (wide ? 16 : 8);
    if (at + size > to || at + size < body) {
      if (loose && found.some(({ name }) => name === "mdat")) {
        break;
      }
      throw new RangeError("not a whole picture");
    }
    found.push({ name: text(new Uint8Array(file.buffer), at + 4, 4), at, body, end: at + size });
    at += size;
  }
  return found;
}

/**
 * Overwrite the items that are metadata; in place of the EXIF block goes our own short one, where it fits.
 * @param {DataView} file
 * @param {Box[]} meta
 * @param {Taken} taken - filled
 */
function blankItems(file, meta, taken) {
  const kinds = itemKinds(file, meta);
  const bytes = new Uint8Array(file.buffer);
  for (const { item, extents } of places(file, meta)) {
    const kind = kinds.get(item) ?? "";
    const parts = METADATA.has(kind) ? extents.map(([from, to]) => bytes.subarray(from, to)) : [];
    const exif = kind === "Exif" && parts.length === 1 ? ownExif(parts[0], taken) : [];
    for (const part of parts) {
      part.fill(0);
    }
    if (exif.length) {
      parts[0].set(exif, 4);
    }
  }
}

/**
 * @param {Uint8Array} block - an EXIF item: how far away TIFF begins, in 4 bytes, then that
 * @param {Taken} taken - filled
 * @returns {ArrayLike<number>} what to write in its place; empty where that does not fit
 */
function ownExif(block, taken) {
  const start = 4 + new DataView(block.buffer, block.byteOffset, block.length).getUint32(0);
  Object.assign(taken, readExif(block.subarray(start)));
  const exif = writeExif({ ...taken, orientation: 1 }); // a HEIF turns by a property of its own
  return exif.length + 4 <= block.length ? exif : [];
}

/**
 * @param {DataView} file
 * @param {Box[]} meta
 * @returns {Map<number, string>} the type of each item
 */
function itemKinds(file, meta) {
  const kinds = new Map();
  for (const { body, end } of meta.filter(({ name }) => name === "iinf")) {
    for (const entry of boxes(file, body + 4 + (file.getUint8(body) ? 4 : 2), end)) {
      const width = file.getUint8(entry.body) === 3 ? 4 : 2;
      const kind = text(new Uint8Array(file.buffer), entry.body + 4 + width + 2, 4);
      kinds.set(uint(file, entry.body + 4, width), kind);
    }
  }
  return kinds;
}

/**
 * @param {DataView} file
 * @param {Box[]} meta
 * @returns {{ item: number, extents: [number, number][] }[]} where each item's bytes are (ItemLocationBox)
 */
function places(file, meta) {
  const found = [];
  const data = meta.find(({ name }) => name === "idat")?.body ?? 0;
  for (const { body, end } of meta.filter(({ name }) => name === "iloc")) {
    const version = file.getUint8(body);
    const wide = version < 2 ? 2 : 4;
    const [offsets, lengths] = [file.getUint8(body + 4) >> 4, file.getUint8(body + 4) & 15];
    const [bases, indices] = [file.getUint8(body + 5) >> 4, version ? file.getUint8(body + 5) & 15 : 0];
    let at = body + 6;
    const next = (/** @type {number} */ width) => {
      at += width;
      return uint(file, at - width, width);
    };
    for (let count = next(wide); count > 0 && at < end; count--) {
      const item = next(wide);
      const method = version ? next(2) & 15 : 0;
      next(2); // which file: this one
      const base = next(bases);
      /** @type {[number, number][]} */
      const extents = [];
      for (let left = next(2); left > 0; left--) {
        next(indices);
        const from = base + next(offsets) + (method === 1 ? data : 0);
        extents.push([from, from + next(lengths)]);
      }
      if (method < 2) {
        found.push({ item, extents });
      }
    }
  }
  return found;
}

/**
 * Overwrite the properties that hold text or what only an application knows.
 * @param {DataView} file
 * @param {Box[]} meta
 */
function blankProperties(file, meta) {
  const bytes = new Uint8Array(file.buffer);
  for (const { body, end } of meta.filter(({ name }) => name === "iprp")) {
    for (const container of boxes(file, body, end).filter(({ name }) => name === "ipco")) {
      for (const property of boxes(file, container.body, container.end)) {
        if (property.name === "udes") {
          bytes.fill(0, property.body, property.end);
        } else if (property.name === "uuid") {
          bytes.fill(0, property.body + 16, property.end);
        }
      }
    }
  }
}

/**
 * @param {DataView} file
 * @param {Box[]} top
 * @returns {Box[]} what a moving picture says of itself besides its frames
 */
function moving(file, top) {
  return top
    .filter(({ name }) => name === "moov")
    .flatMap(({ body, end }) => boxes(file, body, end))
    .filter(({ name }) => name === "udta" || name === "meta" || name === "uuid");
}

/**
 * @param {DataView} file
 * @param {number} at
 * @param {number} width - 0, 1, 2, 4 or 8 bytes
 * @returns {number}
 */
function uint(file, at, width) {
  let value = 0;
  for (let byte = at; byte < at + width; byte++) {
    value = value * 256 + file.getUint8(byte);
  }
  if (value > TOO_LARGE && width === 8) {
    throw new RangeError("not a whole picture");
  }
  return value;
}
