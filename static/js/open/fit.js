// @ts-check
// The search for the best JPEG that fits, as capture/photos/raster.py makes it: by quality first, then by fewer pixels.

/**
 * A decoded picture that can be encoded as JPEG at a quality (0 to 100), or made smaller.
 * @typedef {object} Raster
 * @property {number} width pixels
 * @property {number} height pixels
 * @property {(quality: number) => Promise<Blob>} encode
 * @property {(width: number, height: number) => Raster} scaled
 */

const BEST = 95; // more only adds bytes
const WORST = 70; // below, a smaller picture shows more
const CLOSE = 0.97; // a try that fills this share of the room is good enough
const SMALLEST = 16; // pixels on the short side

/**
 * @param {Raster} picture
 * @param {number} under bytes; the JPEG has fewer
 * @returns {Promise<Blob>}
 */
export async function fit(picture, under) {
  let raster = picture;
  const most = under - 1;
  for (;;) {
    const best = await raster.encode(BEST);
    if (best.size <= most) return best;
    let factor = 0.5;
    if (best.size <= 8 * most) {
      const least = await raster.encode(WORST);
      if (least.size <= most) return search(raster, most, least, best.size);
      factor = Math.sqrt(most / least.size) * 0.98;
    }
    const [width, height] = [raster.width, raster.height].map((side) => Math.floor(side * factor));
    if (Math.min(width, height) < SMALLEST) throw new RangeError("no JPEG of this picture is so small");
    raster = raster.scaled(width, height);
  }
}

/**
 * The best between WORST (which fits: `good`) and BEST (which does not), guessing by the logarithm of the bytes.
 *
 * @param {Raster} raster
 * @param {number} most bytes
 * @param {Blob} least
 * @param {number} best bytes at BEST
 */
async function search(raster, most, least, best) {
  let [low, high, good, tooMany] = [WORST, BEST, least, best];
  while (high - low > 1 && good.size < CLOSE * most) {
    const share = Math.log(most / good.size) / Math.log(tooMany / good.size);
    const quality = Math.min(Math.max(low + 1, low + Math.floor(share * (high - low))), high - 1);
    const tried = await raster.encode(quality);
    if (tried.size <= most) [low, good] = [quality, tried];
    else [high, tooMany] = [quality, tried.size];
  }
  return good;
}
