// @ts-check
// Blur, light and size of a photo or of the live picture, measured on the phone. Step by step what capture/photos/quality.py
// does at the server, so that both find the same; the thresholds come with the page, from config/quality.toml.

/**
 * `sharpness`: fine detail as a share of coarse, where there is most; `light`: 95th percentile of luma, 0 to 255; `clipped`: burnt
 * out share of the middle, 0 to 1.
 * @typedef {{ sharpness: number, light: number, clipped: number, megapixels: number }} Figures
 */

/** @typedef {Figures & { movement: number }} Thresholds */

/**
 * Luma, row by row.
 * @typedef {{ width: number, height: number, data: Uint8Array }} Grey
 */

/** @typedef {"dark" | "blurred" | "bright" | "small"} Hint */

const LONG_SIDE = 400;
const NOISE = 60;
const MIDDLE_GREY = 128;
const FLOOR = 32;
const BURNT = 250;
const GRID = 4;

/**
 * @param {CanvasImageSource} source - an image that is loaded, a video that plays, a canvas
 * @param {number} width - of the whole, in pixels
 * @param {number} height
 * @returns {Grey} at the scale of the measures; throws where the source cannot be drawn
 */
export function look(source, width, height) {
  let [across, down] = [width, height];
  let picture = source;
  /** @type {CanvasRenderingContext2D | undefined} */
  let last;
  while (!last || Math.max(across, down) >= 2 * LONG_SIDE) {
    if (Math.max(across, down) >= 2 * LONG_SIDE) {
      [across, down] = [Math.ceil(across / 2), Math.ceil(down / 2)]; // at exactly a half, smoothing is averaging
    }
    const context = blank(across, down);
    context.drawImage(picture, 0, 0, across, down);
    free(last);
    last = context;
    picture = context.canvas;
  }
  const { data } = last.getImageData(0, 0, across, down);
  free(last);
  return toScale({ width: across, height: down, data: luma(data) });
}

/**
 * @param {Grey} grey - from `look`
 * @param {number} width - of the whole, in pixels
 * @param {number} height
 * @returns {Figures}
 */
export function measure(grey, width, height) {
  const middle = crop(grey);
  const burnt = middle.data.reduce((sum, level) => sum + (level >= BURNT ? 1 : 0), 0);
  return {
    sharpness: sharpness(grey),
    light: percentile(grey, 0.95),
    clipped: burnt / middle.data.length,
    megapixels: (width * height) / 1e6,
  };
}

/**
 * @param {Figures} figures
 * @param {Thresholds} thresholds
 * @returns {Hint[]} what may be wrong, in the order that the server tells it
 */
export function hints(figures, thresholds) {
  const dark = figures.light < thresholds.light;
  /** @type {[Hint, boolean][]} */
  const found = [
    ["dark", dark],
    ["blurred", figures.sharpness < thresholds.sharpness && !dark],
    ["bright", figures.clipped > thresholds.clipped],
    ["small", figures.megapixels < thresholds.megapixels],
  ];
  return found.filter(([, isSo]) => isSo).map(([code]) => code);
}

/**
 * @param {Grey} before
 * @param {Grey} now
 * @returns {number} how much they differ, in mean differences between neighbours: about the pixels moved, while these are few
 */
export function movement(before, now) {
  const { data, width } = now;
  if (before.data.length !== data.length) {
    return 0;
  }
  let [changed, rough] = [0, 0];
  for (let at = width; at < data.length; at++) {
    changed += Math.abs(data[at] - before.data[at]);
    rough += Math.abs(data[at] - data[at - 1]) + Math.abs(data[at] - data[at - width]);
  }
  return rough && (2 * changed) / rough;
}

/**
 * @param {number} width
 * @param {number} height
 */
function blank(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) {
    throw new Error("no canvas");
  }
  return context;
}

/** @param {CanvasRenderingContext2D | undefined} context - whose memory a phone may have little of */
function free(context) {
  if (context) {
    context.canvas.width = context.canvas.height = 0;
  }
}

/** @param {Uint8ClampedArray} rgba */
function luma(rgba) {
  const grey = new Uint8Array(rgba.length / 4);
  for (let at = 0; at < grey.length; at++) {
    const pixel = 4 * at;
    grey[at] = (rgba[pixel] * 19595 + rgba[pixel + 1] * 38470 + rgba[pixel + 2] * 7471 + 0x8000) >> 16;
  }
  return grey;
}

/** @param {Grey} grey */
function toScale(grey) {
  const longest = Math.max(grey.width, grey.height);
  if (longest <= LONG_SIDE) {
    return grey;
  }
  const side = (/** @type {number} */ of) => Math.max(1, Math.round((of * LONG_SIDE) / longest));
  return turned(narrowed(turned(narrowed(grey, side(grey.width))), side(grey.height)));
}

/**
 * Fewer columns, by a triangle filter.
 * @param {Grey} grey
 * @param {number} width
 * @returns {Grey}
 */
function narrowed({ width: from, height, data }, width) {
  const result = new Uint8Array(width * height);
  const scale = from / width;
  for (let x = 0; x < width; x++) {
    const centre = (x + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - scale + 0.5));
    const last = Math.min(from, Math.floor(centre + scale + 0.5));
    const weights = [];
    for (let at = first; at < last; at++) {
      weights.push(Math.max(0, 1 - Math.abs((at + 0.5 - centre) / scale)));
    }
    const whole = weights.reduce((sum, weight) => sum + weight, 0);
    for (let y = 0; y < height; y++) {
      const row = y * from + first;
      let sum = 0;
      for (let at = 0; at < weights.length; at++) {
        sum += weights[at] * data[row + at];
      }
      result[y * width + x] = Math.round(sum / whole);
    }
  }
  return { width, height, data: result };
}

/**
 * @param {Grey} grey
 * @returns {Grey} rows and columns exchanged
 */
function turned({ width, height, data }) {
  const result = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      result[x * height + y] = data[y * width + x];
    }
  }
  return { width: height, height: width, data: result };
}

/**
 * @param {Grey} grey
 * @returns {Grey} the middle, three quarters of each side
 */
function crop({ width, height, data }) {
  const [left, top] = [Math.floor(width / 8), Math.floor(height / 8)];
  const [across, down] = [width - 2 * left, height - 2 * top];
  const result = new Uint8Array(across * down);
  for (let y = 0; y < down; y++) {
    const row = (top + y) * width + left;
    result.set(data.subarray(row, row + across), y * across);
  }
  return { width: across, height: down, data: result };
}

/**
 * @param {Grey} grey
 * @returns {Grey} at half the size, each pixel the mean of those it takes the place of
 */
function halved({ width, height, data }) {
  const [across, down] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const result = new Uint8Array(across * down);
  for (let y = 0; y < down; y++) {
    const [above, below] = [2 * y, Math.min(2 * y + 1, height - 1)];
    for (let x = 0; x < across; x++) {
      const [left, right] = [2 * x, Math.min(2 * x + 1, width - 1)];
      const sum = data[above * width + left] + data[above * width + right];
      result[y * across + x] = (sum + data[below * width + left] + data[below * width + right] + 2) >> 2;
    }
  }
  return { width: across, height: down, data: result };
}

/** @param {Grey} grey */
function sharpness(grey) {
  const fine = energies(grey);
  const coarse = energies(halved(grey));
  if (fine.length === 0 || coarse.length === 0) {
    return 0;
  }
  const best = fine.indexOf(Math.max(...fine));
  return fine[best] / (coarse[best] + NOISE);
}

/**
 * @param {Grey} grey
 * @returns {number[]} mean square of the Laplacian in each of the 16 parts of the middle, relative to how bright it is; none where
 *   there is no room for them
 */
function energies(grey) {
  const { width, height, data } = crop(grey);
  const [across, down] = [Math.floor((width - 2) / GRID), Math.floor((height - 2) / GRID)];
  if (across < 1 || down < 1) {
    return [];
  }
  const parts = Array.from({ length: GRID * GRID }, () => ({ squares: 0, levels: 0 }));
  for (let y = 0; y < GRID * down; y++) {
    for (let x = 0; x < GRID * across; x++) {
      const at = (y + 1) * width + x + 1;
      const around = data[at - 1] + data[at + 1] + data[at - width] + data[at + width];
      const edge = Math.max(-128, Math.min(127, around - 4 * data[at]));
      const part = parts[GRID * Math.floor(y / down) + Math.floor(x / across)];
      part.squares += edge * edge;
      part.levels += data[at];
    }
  }
  const count = across * down;
  return parts.map(({ squares, levels }) => {
    const gain = (MIDDLE_GREY + FLOOR) / (Math.round(levels / count) + FLOOR);
    return (squares / count) * gain * gain;
  });
}

/**
 * @param {Grey} grey
 * @param {number} share
 * @returns {number} the highest level that at least `1 - share` of the pixels reach
 */
function percentile({ data }, share) {
  const levels = new Array(256).fill(0);
  for (const level of data) {
    levels[level] += 1;
  }
  let level = 255;
  let above = levels[255];
  while (level > 0 && above < data.length * (1 - share)) {
    level -= 1;
    above += levels[level];
  }
  return level;
}
