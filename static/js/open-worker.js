// @ts-check
// The work behind the opening page, in a thread of its own, which alone has the opened key. The page ends the thread to lock it.
import { openBundle } from "./open/bundle.js";
import { report } from "./open/fault.js";
import { fetchBytes } from "./open/fetching.js";
import { Keyring } from "./open/keyring.js";

/** @typedef {import("./open/fault.js").FaultReport} FaultReport */
/**
 * What was opened, as it goes to the page: a blob is handed over, where bytes would be copied while the page waits.
 * @typedef {Omit<import("./open/bundle.js").Opened, "faults" | "photos"> & {
 *   faults: FaultReport[],
 *   photos: {entry: import("./open/request.js").PhotoEntry, blob: Blob}[],
 * }} Answer
 *
 * @typedef {{number: number, order: import("./open/bundle.js").Order, secret?: import("./open/keyring.js").Secret}} Asked
 * @typedef {{words: string, done?: number, total?: number}} Step
 * @typedef {{number: number, unlocked?: true, step?: Step, answer?: Answer, fault?: FaultReport}} Told
 */

const keyring = new Keyring();
let newest = 0; // what was asked before it, nobody waits for

self.onmessage = (/** @type {MessageEvent<Asked | {drop: number}>} */ { data }) => {
  if ("drop" in data) newest = data.drop;
  else open(data);
};

/** @param {Asked} asked */
async function open({ number, order, secret }) {
  const tell = (/** @type {Omit<Told, "number">} */ told) => self.postMessage({ number, ...told });
  const progress = (/** @type {string} */ words, /** @type {(number | undefined)[]} */ ...[done, total]) => {
    if (number < newest) throw new Error("the page has gone on");
    tell({ step: { words, done, total } });
  };
  try {
    progress("Opening your practice’s key");
    const identity = await keyring.find(order, secret, fetchBytes);
    tell({ unlocked: true });
    const opened = await openBundle(order, identity, fetchBytes, progress);
    const photos = opened.photos.map(({ entry, bytes }) => ({
      entry,
      blob: new Blob([/** @type {BlobPart} */ (bytes)], { type: "image/jpeg" }),
    }));
    tell({ answer: { ...opened, photos, faults: opened.faults.map(report) } });
  } catch (error) {
    tell({ fault: report(error) });
  }
}
