// @ts-check
// Photos and what is known of them as one PDF (ISO 32000-1), each JPEG inside byte for byte as it is (DCTDecode, 7.4.8). It is to
// the byte the PDF that capture/photos/pdf.py writes.
import { ascii } from "./octets.js";

/**
 * What stands together: a title, lines of text under it, and a photo above them, if there is one.
 * @typedef {{title: string, lines: string[], jpeg?: Blob}} Sheet
 *
 * A piece of the file: text of single bytes, or a photo as it is.
 * @typedef {string | Blob | Uint8Array} Piece
 * @typedef {{width: number, height: number, components: number, profile: Uint8Array | null}} Facts
 */

const [WIDTH, HEIGHT, MARGIN] = [595, 842, 40]; // A4 in points
const [SIZE, LEADING] = [10, 14];
const MOST_LINES = Math.floor((HEIGHT - 2 * MARGIN) / LEADING);
const FRAMES = new Set([0xc0, 0xc1, 0xc2]); // JPEG: baseline, extended, progressive
const HEAD = 1 << 20; // bytes of a JPEG in which its frame begins

/**
 * @param {Sheet[]} sheets one without a photo goes on over as many pages as its text needs
 * @returns {Promise<Blob>}
 */
export async function writePdf(sheets) {
  /** @type {Piece[][]} */
  const objects = [["<< /Type /Catalog /Pages 2 0 R >>"], [], [font("Helvetica")], [font("Helvetica-Bold")]];
  const pages = [];
  for (const { title, lines, jpeg } of sheets) {
    const rows = [title, ...lines].flatMap((text, index) =>
      wrap(text).map((line) => ({ line, bold: index === 0 })),
    );
    const step = jpeg ? rows.length : MOST_LINES;
    for (let start = 0; start < rows.length; start += step) {
      pages.push(objects.length + 1);
      objects.push(...(await page(objects.length + 1, rows.slice(start, start + step), jpeg)));
    }
  }
  const kids = pages.map((number) => `${number} 0 R`).join(" ");
  objects[1] = [
    `<< /Type /Pages /Kids [${kids}] /Count ${pages.length} /MediaBox [0 0 ${WIDTH} ${HEIGHT}] >>`,
  ];
  return file(objects);
}

/**
 * The objects of a page from `number` on: itself, what is drawn, and the photo with its profile.
 *
 * @param {number} number
 * @param {{line: string, bold: boolean}[]} rows
 * @param {Blob} [jpeg]
 * @returns {Promise<Piece[][]>}
 */
async function page(number, rows, jpeg) {
  const facts = jpeg && (await readJpeg(jpeg));
  let [top, drawn, image] = [HEIGHT - MARGIN, "", ""];
  if (facts) {
    const { width, height } = facts;
    const room = [WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN - rows.length * LEADING - LEADING];
    const scale = Math.min(room[0] / width, room[1] / height);
    top -= Math.ceil(height * scale) + LEADING;
    drawn = `q ${(width * scale).toFixed(2)} 0 0 ${(height * scale).toFixed(2)} ${MARGIN} ${top + LEADING} cm /Im Do Q\n`;
    image = ` /XObject << /Im ${number + 2} 0 R >>`;
  }
  for (const [row, { line, bold }] of rows.entries())
    drawn += `BT /F${bold ? 2 : 1} ${SIZE} Tf ${MARGIN} ${top - SIZE - row * LEADING} Td <${line}> Tj ET\n`;
  const fonts = "/Font << /F1 3 0 R /F2 4 0 R >>";
  const objects = [
    [`<< /Type /Page /Parent 2 0 R /Contents ${number + 1} 0 R /Resources << ${fonts}${image} >> >>`],
    stream("", drawn, drawn.length),
  ];
  if (!jpeg || !facts) return objects;
  const { width, height, components, profile } = facts;
  const device = components === 1 ? "/DeviceGray" : "/DeviceRGB";
  const space = profile ? `[/ICCBased ${number + 3} 0 R]` : device;
  const entries = `/Type /XObject /Subtype /Image /Width ${width} /Height ${height} /BitsPerComponent 8 /ColorSpace ${space} /Filter /DCTDecode `;
  objects.push(stream(entries, jpeg, jpeg.size));
  if (profile) objects.push(stream(`/N ${components} /Alternate ${device} `, profile, profile.length));
  return objects;
}

/** @param {string} name */
const font = (name) => `<< /Type /Font /Subtype /Type1 /BaseFont /${name} /Encoding /WinAnsiEncoding >>`;

/**
 * @param {string} entries
 * @param {Piece} data
 * @param {number} length bytes
 * @returns {Piece[]}
 */
const stream = (entries, data, length) => [
  `<< ${entries}/Length ${length} >>\nstream\n`,
  data,
  "\nendstream",
];

/**
 * Header, body, cross-reference table and trailer (7.5).
 *
 * @param {Piece[][]} objects
 */
function file(objects) {
  /** @type {Piece[]} */
  const pieces = ["%PDF-1.4\n%", Uint8Array.of(0xe2, 0xe3, 0xcf, 0xd3), "\n"];
  const places = [];
  let size = 15;
  for (const [index, body] of objects.entries()) {
    places.push(size);
    const object = [`${index + 1} 0 obj\n`, ...body, "\nendobj\n"];
    pieces.push(...object);
    size += object.reduce((sum, piece) => sum + (piece instanceof Blob ? piece.size : piece.length), 0);
  }
  const rows = places.map((place) => `${String(place).padStart(10, "0")} 00000 n \n`).join("");
  const count = objects.length + 1;
  pieces.push(
    `xref\n0 ${count}\n0000000000 65535 f \n${rows}trailer\n<< /Size ${count} /Root 1 0 R >>\nstartxref\n${size}\n%%EOF\n`,
  );
  return new Blob(/** @type {BlobPart[]} */ (pieces), { type: "application/pdf" });
}

/**
 * Pixels, components and colour profile, from the segments before the picture.
 *
 * @param {Blob} jpeg
 * @returns {Promise<Facts>}
 */
async function readJpeg(jpeg) {
  const bytes = new Uint8Array(await jpeg.slice(0, HEAD).arrayBuffer());
  const two = (/** @type {number} */ at) => bytes[at] * 256 + bytes[at + 1];
  /** @type {Uint8Array | null} */
  let profile = null;
  for (let at = 2; at + 10 <= bytes.length && bytes[at] === 0xff; at += 2 + two(at + 2)) {
    const kind = bytes[at + 1];
    if (FRAMES.has(kind))
      return { width: two(at + 7), height: two(at + 5), components: bytes[at + 9], profile };
    const isProfile = kind === 0xe2 && ascii(bytes.subarray(at + 4, at + 18)) === "ICC_PROFILE\0\x01\x01";
    if (isProfile) profile = bytes.slice(at + 18, at + 2 + two(at + 2));
  }
  throw new TypeError("not a JPEG");
}

/**
 * The text in lines that fit the page, by letters that are never wider than counted here.
 *
 * @param {string} text
 * @returns {string[]} each in WinAnsi (Annex D.2), as hexadecimal digits
 */
function wrap(text) {
  const most = Math.floor(((WIDTH - 2 * MARGIN) * 100) / SIZE);
  const lines = [];
  let [line, width] = ["", 0];
  for (const word of Array.from(text, letter).join("").trim().split(/ +/)) {
    for (const piece of word.match(/.{1,60}/g) ?? []) {
      const wide = Array.from(piece, widest).reduce((sum, one) => sum + one, 0);
      if (line && width + 28 + wide > most) {
        lines.push(line);
        [line, width] = ["", 0];
      }
      [line, width] = [line ? `${line} ${piece}` : piece, width + 28 + wide];
    }
  }
  return [...lines, line].map((one) => Array.from(one, code).join(""));
}

const HIGH = "€?‚ƒ„…†‡ˆ‰Š‹Œ?Ž??‘’“”•–—˜™š›œ?žŸ"; // 0x80 to 0x9f

/** @param {string} one @returns {string} it, or its base letter, or a question mark, or a space */
function letter(one) {
  for (const each of [one, [...one.normalize("NFKD")][0]]) {
    if (/\s/.test(each)) return " ";
    if (/[ -~\xa1-\xff]/.test(each) || HIGH.includes(each)) return each;
  }
  return "?";
}

/** @param {string} one */
function code(one) {
  const at = one === "?" ? -1 : HIGH.indexOf(one);
  return (at < 0 ? one.charCodeAt(0) : 0x80 + at).toString(16).padStart(2, "0");
}

/** @param {string} one @returns {number} an upper bound of its width in Helvetica and its bold, in hundredths of its size */
function widest(one) {
  if ("fijlrtI.,:;'!()[]/|- ".includes(one)) return 40;
  if (one > "~") return 100;
  if ("mwMW%@".includes(one)) return 100;
  return /[A-Z]/.test(one) ? 84 : 62;
}
