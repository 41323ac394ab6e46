// @ts-check
// A QR code of one size for one kind of text: version 4 (33 × 33), error correction M, alphanumeric, mask 0 (ISO/IEC 18004). It is
// drawn here because what it holds must not leave the page.

const SIZE = 33;
const SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const LONGEST = 90; // signs
const [BLOCKS, DATA, CHECK] = [2, 32, 18]; // two blocks of 32 bytes, 18 more each to mend them
const ALIGNMENT = 26; // the middle of the one small square
const FORMAT = 0b101010000010010; // level M with mask 0, its checksum behind it

/**
 * @param {string} text at most 90 of A–Z, 0–9 and `$%*+-./:` or spaces
 * @returns {boolean[][]} rows of modules, true where black
 */
export function qrModules(text) {
  const modules = Array.from(
    { length: SIZE },
    () => /** @type {(boolean | undefined)[]} */ (Array(SIZE).fill(undefined)),
  );
  drawPatterns(modules);
  drawData(modules, interleave(codewords(text)));
  return modules.map((row) => row.map(Boolean));
}

/**
 * The code as an SVG element with the quiet zone that readers need.
 *
 * @param {string} text
 */
export function drawCode(text) {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("viewBox", `-4 -4 ${SIZE + 8} ${SIZE + 8}`);
  svg.setAttribute("shape-rendering", "crispEdges");
  const marks = qrModules(text).flatMap((row, y) =>
    row.flatMap((black, x) => (black ? `M${x} ${y}h1v1h-1z` : [])),
  );
  for (const [fill, d] of [
    ["#fff", `M-4-4h${SIZE + 8}v${SIZE + 8}h-${SIZE + 8}z`],
    ["#000", marks.join("")],
  ]) {
    const path = document.createElementNS(namespace, "path");
    path.setAttribute("fill", fill);
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/** @param {string} text @returns {number[]} 64 bytes */
function codewords(text) {
  const values = [...text].map((sign) => SIGNS.indexOf(sign));
  if (values.length > LONGEST || values.includes(-1)) throw new RangeError("this text does not fit the code");
  let bits = `0010${binary(values.length, 9)}`;
  for (let index = 0; index < values.length; index += 2) {
    const last = index + 1 === values.length;
    bits += last ? binary(values[index], 6) : binary(values[index] * 45 + values[index + 1], 11);
  }
  bits = `${bits}0000`.slice(0, BLOCKS * DATA * 8);
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, "0");
  const bytes = (bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2));
  for (let pad = 0xec; bytes.length < BLOCKS * DATA; pad ^= 0xec ^ 0x11) bytes.push(pad);
  return bytes;
}

/** @param {number} number @param {number} length */
const binary = (number, length) => number.toString(2).padStart(length, "0");

/** @param {number[]} bytes @returns {number[]} both blocks with their check bytes, a byte of each in turn */
function interleave(bytes) {
  const blocks = [bytes.slice(0, DATA), bytes.slice(DATA)];
  const checks = blocks.map(remainder);
  const turns = (/** @type {number[][]} */ rows) =>
    rows[0].flatMap((_, index) => rows.map((row) => row[index]));
  return [...turns(blocks), ...turns(checks)];
}

/** Reed–Solomon over GF(256) with the polynomial 0x11d. @param {number[]} block @returns {number[]} 18 bytes */
function remainder(block) {
  let generator = [1];
  for (let power = 0, root = 1; power < CHECK; power += 1, root = times(root, 2)) {
    const next = [...generator, 0];
    for (const [index, factor] of generator.entries()) next[index + 1] ^= times(factor, root);
    generator = next;
  }
  const left = [...block, ...Array(CHECK).fill(0)];
  for (let index = 0; index < block.length; index += 1) {
    const factor = left[index];
    for (const [offset, one] of generator.entries()) left[index + offset] ^= times(one, factor);
  }
  return left.slice(block.length);
}

/** @param {number} a @param {number} b */
function times(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    product ^= ((b >> bit) & 1) * a;
  }
  return product;
}

/** Everything that is the same for every text. @param {(boolean | undefined)[][]} modules */
function drawPatterns(modules) {
  for (let index = 0; index < SIZE; index += 1) modules[6][index] = modules[index][6] = index % 2 === 0;
  for (const [top, left] of [
    [0, 0],
    [0, SIZE - 7],
    [SIZE - 7, 0],
  ]) {
    drawRings(modules, top + 3, left + 3, 4);
  }
  drawRings(modules, ALIGNMENT, ALIGNMENT, 2);
  for (let bit = 0; bit < 15; bit += 1) {
    const black = ((FORMAT >> bit) & 1) === 1;
    const place = bit < 6 ? bit : bit < 8 ? bit + 1 : SIZE - 15 + bit;
    modules[place][8] = black; // down the left and up from the bottom
    const across = bit < 8 ? SIZE - 1 - bit : bit === 8 ? 7 : 14 - bit;
    modules[8][across] = black;
  }
  modules[SIZE - 8][8] = true;
}

/**
 * @param {(boolean | undefined)[][]} modules
 * @param {number} row of the middle
 * @param {number} column
 * @param {number} reach 4 for a corner's square with the white around it, 2 for the small one
 */
function drawRings(modules, row, column, reach) {
  for (let y = -reach; y <= reach; y += 1) {
    for (let x = -reach; x <= reach; x += 1) {
      const ring = Math.max(Math.abs(x), Math.abs(y));
      const inside = row + y >= 0 && row + y < SIZE && column + x >= 0 && column + x < SIZE;
      if (inside) modules[row + y][column + x] = reach === 4 ? ring !== 2 && ring !== 4 : ring !== 1;
    }
  }
}

/**
 * Two columns at a time from the right, up and down in turn, round what is drawn; every second module turned over (mask 0).
 *
 * @param {(boolean | undefined)[][]} modules
 * @param {number[]} bytes
 */
function drawData(modules, bytes) {
  let bit = 0;
  for (let right = SIZE - 1; right > 0; right -= 2) {
    if (right === 6) right = 5; // the timing column stands alone
    const up = ((right + 1) & 2) === 0;
    for (let step = 0; step < SIZE; step += 1) {
      const row = up ? SIZE - 1 - step : step;
      for (const column of [right, right - 1]) {
        if (modules[row][column] !== undefined) continue;
        const black = (((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) === 1;
        modules[row][column] = black !== ((row + column) % 2 === 0);
        bit += 1;
      }
    }
  }
}
