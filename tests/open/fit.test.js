// The search for the best JPEG that fits, with an encoder whose sizes are known.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fit } from "../../static/js/open/fit.js";

/** An encoder whose files grow with pixels and, by a power, with quality; it notes what it was asked. */
function raster(width, height, density, tries = []) {
  return {
    width,
    height,
    encode: async (quality) => {
      tries.push({ quality, width });
      return new Blob([new Uint8Array(Math.round(width * height * density * 1.06 ** (quality - 95)))]);
    },
    scaled: (...size) => raster(...size, density, tries),
    tries,
  };
}

test("a picture that fits at the best quality is encoded once", async () => {
  const picture = raster(100, 100, 1);
  assert.equal((await fit(picture, 10_001)).size, 10_000);
  assert.equal(picture.tries.length, 1);
});

test("whatever the limit, the file has fewer bytes, and fills nearly all of the room without losing a pixel needlessly", async () => {
  for (const under of [20_000, 250_000, 745_000, 1_000_000, 5_242_880]) {
    for (const density of [0.2, 1, 3]) {
      const picture = raster(4000, 3000, density);
      const { size } = await fit(picture, under);
      assert.ok(size < under, `${size} is not under ${under}`);
      assert.ok(size > 0.7 * under || density === 0.2, `${size} wastes the room of ${under}`);
      assert.ok(picture.tries.length < 20);
    }
  }
});

test("the limit itself is already too much: a file of that many bytes is made smaller", async () => {
  const picture = raster(100, 100, 1);
  assert.ok((await fit(picture, 10_000)).size < 10_000);
});

test("quality goes first: pixels are only given up where the lowest quality does not fit", async () => {
  const picture = raster(1000, 1000, 1);
  await fit(picture, 500_000);
  assert.ok(picture.tries.every(({ width }) => width === 1000));
  assert.ok(picture.tries.every(({ quality }) => quality >= 70 && quality <= 95));
});

test("a picture that no limit can hold ends in an error, not in a loop", async () => {
  await assert.rejects(fit(raster(4000, 20, 1), 10), RangeError);
});
