// @ts-check
// The work behind the opening page, in a thread of its own: the page ends this thread when it has the answer, and with it the key.
import { openBundle } from "./open/bundle.js";
import { report } from "./open/fault.js";
import { fetchBytes } from "./open/fetching.js";

/** @typedef {import("./open/fault.js").FaultReport} FaultReport */
/**
 * What was opened, as it goes to the page: a blob is handed over, where bytes would be copied while the page waits.
 * @typedef {Omit<import("./open/bundle.js").Opened, "faults" | "photos"> & {
 *   faults: FaultReport[],
 *   photos: {entry: import("./open/request.js").PhotoEntry, blob: Blob}[],
 * }} Answer
 */

self.onmessage = async (event) => {
  const { order, passphrase } = event.data;
  try {
    const opened = await openBundle(order, passphrase, fetchBytes, (words, done, total) =>
      self.postMessage({ words, done, total }),
    );
    const photos = opened.photos.map(({ entry, bytes }) => ({
      entry,
      blob: new Blob([/** @type {BlobPart} */ (bytes)], { type: "image/jpeg" }),
    }));
    self.postMessage({ answer: { ...opened, photos, faults: opened.faults.map(report) } });
  } catch (error) {
    self.postMessage({ fault: report(error) });
  }
};
