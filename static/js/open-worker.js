// @ts-check
// The work behind the opening page, in a thread of its own: the page ends this thread when it has the answer, and with it the key.
import { openBundle } from "./open/bundle.js";
import { report } from "./open/fault.js";
import { fetchBytes } from "./open/fetching.js";

/** @typedef {import("./open/fault.js").FaultReport} FaultReport */
/** @typedef {Omit<import("./open/bundle.js").Opened, "faults"> & {faults: FaultReport[]}} Answer */

self.onmessage = async (event) => {
  const { order, passphrase } = event.data;
  try {
    const opened = await openBundle(order, passphrase, fetchBytes, (words, done, total) =>
      self.postMessage({ words, done, total }),
    );
    const answer = { ...opened, faults: opened.faults.map(report) };
    self.postMessage({ answer }, { transfer: opened.photos.map((photo) => photo.bytes.buffer) });
  } catch (error) {
    self.postMessage({ fault: report(error) });
  }
};
