// @ts-check

/** @typedef {import("./fit.js").Raster} Raster */

/**
 * A photo on a canvas: in a worker, or in the page where the browser's workers have none.
 *
 * @param {Blob} photo
 * @returns {Promise<Raster>}
 */
export async function decode(photo) {
  const bitmap = await createImageBitmap(photo);
  const raster = draw(bitmap, bitmap.width, bitmap.height);
  bitmap.close();
  return raster;
}

/**
 * @param {Blob} photo
 * @returns {Promise<Blob>} the same pixels as PNG, which is what clipboards take
 */
export async function toPng(photo) {
  const bitmap = await createImageBitmap(photo);
  return encode(canvasOf(bitmap, bitmap.width, bitmap.height), "image/png");
}

/**
 * @param {CanvasImageSource} source
 * @param {number} width
 * @param {number} height
 * @returns {Raster}
 */
function draw(source, width, height) {
  const canvas = canvasOf(source, width, height);
  return {
    width,
    height,
    encode: (quality) => encode(canvas, "image/jpeg", quality / 100),
    scaled: (...size) => draw(canvas, ...size),
  };
}

/**
 * @param {CanvasImageSource} source
 * @param {number} width
 * @param {number} height
 */
function canvasOf(source, width, height) {
  const canvas =
    typeof OffscreenCanvas === "undefined"
      ? Object.assign(document.createElement("canvas"), { width, height })
      : new OffscreenCanvas(width, height);
  const pen = /** @type {CanvasRenderingContext2D | null} */ (canvas.getContext("2d"));
  if (!pen) throw new Error("no canvas of this size here");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(source, 0, 0, width, height);
  return canvas;
}

/**
 * @param {OffscreenCanvas | HTMLCanvasElement} canvas
 * @param {string} type
 * @param {number} [quality] 0 to 1
 * @returns {Promise<Blob>}
 */
async function encode(canvas, type, quality) {
  const blob =
    "convertToBlob" in canvas
      ? await canvas.convertToBlob({ type, quality })
      : await new Promise((resolve) => canvas.toBlob(resolve, type, quality));
  if (blob?.type !== type) throw new Error(`no ${type} can be made here`);
  return blob;
}
