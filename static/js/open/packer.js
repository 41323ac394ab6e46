// @ts-check
import { fit } from "./fit.js";
import { decode } from "./picture.js";

/**
 * What a system takes, from config/presets.toml: files of fewer bytes than `under`, `files` of them at most (0: no limit).
 * @typedef {object} Preset
 * @property {string} name
 * @property {string} title
 * @property {number} under
 * @property {number} files
 *
 * @typedef {object} Packer
 * @property {(photo: Blob, under: number) => Promise<Blob>} pack the photo itself where it fits; one at a time
 * @property {() => void} end
 */

/**
 * @param {string} workerUrl
 * @returns {Packer}
 */
export function startPacker(workerUrl) {
  if (typeof OffscreenCanvas === "undefined") {
    const pack = async (/** @type {Blob} */ photo, /** @type {number} */ under) =>
      photo.size < under ? photo : fit(await decode(photo), under);
    return { pack, end: () => {} };
  }
  /** @type {Worker | undefined} */
  let worker;
  return {
    pack: async (photo, under) => {
      if (photo.size < under) return photo;
      worker ??= new Worker(workerUrl, { type: "module" });
      return ask(worker, { photo, under });
    },
    end: () => worker?.terminate(),
  };
}

/**
 * @param {Worker} worker
 * @param {{photo: Blob, under: number}} order
 * @returns {Promise<Blob>}
 */
function ask(worker, order) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) =>
      data.fitted ? resolve(data.fitted) : reject(new Error("it does not fit"));
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error("the worker did not start"));
    };
    worker.postMessage(order);
  });
}
