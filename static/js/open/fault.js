// @ts-check

/**
 * Something that is not as it was sent, or that kept the page from telling. The sentence is for the member of staff;
 * `part` names the sealed part it is about ("" for the bundle as a whole).
 */
export class Fault extends Error {
  /**
   * @param {string} code
   * @param {string} sentence
   * @param {string} [part]
   */
  constructor(code, sentence, part = "") {
    super(sentence);
    this.name = "Fault";
    this.code = code;
    this.part = part;
  }
}

/**
 * What a Fault becomes on its way from the worker to the page.
 * @typedef {object} FaultReport
 * @property {string} code
 * @property {string} sentence
 * @property {string} part
 */

/**
 * @param {unknown} error
 * @returns {FaultReport}
 */
export function report(error) {
  if (error instanceof Fault) return { code: error.code, sentence: error.message, part: error.part };
  return {
    code: "page",
    sentence: "This page failed while it was opening the photos. Reload it and try again.",
    part: "",
  };
}
