// @ts-check
// A photo brought down on the phone: drawn upright, at most 2,400 pixels long, and encoded as JPEG. That is about 6 megapixels:
// a close-up taken at 20 cm still shows a tenth of a millimetre. It is never made larger.
import { writeExif } from "./exif.js";
import { segment } from "./jpeg.js";

/** @import { Taken } from "./exif.js" */

const LONG_SIDE = 2_400;
const QUALITIES = [0.85, 0.75, 0.6]; // the first that fits the limit
const APP1 = 0xe1;

/**
 * @param {Blob} photo
 * @param {{ maxBytes: number, taken: Taken | undefined, wide: boolean }} options - `wide`: its colours may be outside of sRGB
 * @returns {Promise<Blob | undefined>} undefined where this browser cannot draw it
 */
export async function shrink(photo, { maxBytes, taken, wide }) {
  const url = URL.createObjectURL(photo);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const scale = Math.min(1, LONG_SIDE / Math.max(image.naturalWidth, image.naturalHeight));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
    canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
    const pen = canvas.getContext("2d", { alpha: false, colorSpace: wide ? "display-p3" : "srgb" });
    if (!pen) {
      return undefined;
    }
    pen.fillStyle = "#fff"; // what is transparent becomes white
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, 0, 0, canvas.width, canvas.height); // an <img> is drawn upright by its orientation
    const made = await encode(canvas, maxBytes);
    canvas.width = canvas.height = 0; // iOS frees its memory by this only
    return made && dated(made, taken);
  } catch {
    return undefined;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} maxBytes
 * @returns {Promise<Blob | undefined>}
 */
async function encode(canvas, maxBytes) {
  let made;
  for (const quality of QUALITIES) {
    made = await new Promise((/** @type {BlobCallback} */ resolve) =>
      canvas.toBlob(resolve, "image/jpeg", quality),
    );
    if (made && made.size < maxBytes) {
      break;
    }
  }
  return made?.type === "image/jpeg" ? made : undefined;
}

/**
 * @param {Blob} jpeg - as the canvas made it
 * @param {Taken | undefined} taken
 * @returns {Blob} with when it was taken
 */
function dated(jpeg, taken) {
  const exif = taken ? writeExif({ ...taken, orientation: 1 }) : [];
  if (exif.length === 0) {
    return jpeg;
  }
  const block = segment(APP1, [0x45, 0x78, 0x69, 0x66, 0, 0, ...exif]);
  return new Blob([jpeg.slice(0, 2), block, jpeg.slice(2)], { type: "image/jpeg" });
}
