// @ts-check

/**
 * Whether a value has a shape. Records are strict, as docs/FORMAT.md asks: no member missing, none unknown.
 * @typedef {(value: any) => boolean} Shape
 */

/** @type {Shape} */
export const text = (value) => typeof value === "string";
/** @type {Shape} */
export const number = (value) => typeof value === "number";
/** @type {Shape} */
export const truth = (value) => typeof value === "boolean";
/** @type {(pattern: RegExp) => Shape} */
export const matching = (pattern) => (value) => text(value) && pattern.test(value);
/** @type {(least: number, most: number) => Shape} */
export const whole = (least, most) => (value) =>
  Number.isSafeInteger(value) && value >= least && value <= most;
/** @type {(shape: Shape) => Shape} */
export const orNull = (shape) => (value) => value === null || shape(value);
/** @type {(shape: Shape) => Shape} */
export const listOf = (shape) => (value) => Array.isArray(value) && value.every(shape);
/** @type {(shape: Shape) => Shape} */
export const oneOrMore = (shape) => (value) => listOf(shape)(value) && value.length > 0;
/** @type {(shape: Shape) => Shape} */
export const mapOf = (shape) => (value) => isObject(value) && Object.values(value).every(shape);
/** @type {(members: Record<string, Shape>) => Shape} */
export const record = (members) => (value) =>
  isObject(value) &&
  Object.keys(value).length === Object.keys(members).length &&
  Object.entries(members).every(([name, shape]) => Object.hasOwn(value, name) && shape(value[name]));

export const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
export const SHA256 = /^[0-9a-f]{64}$/;
export const PRACTICE = record({ ods: matching(/^[A-Z0-9]{1,9}$/), name: text });

/**
 * Read strict JSON: UTF-8, and no member there twice. Throws where it is anything else.
 *
 * @param {Uint8Array} bytes
 * @param {{canonical?: boolean}} [rule] whether only the canonical spelling is taken
 * @returns {any}
 */
export function readJson(bytes, { canonical = false } = {}) {
  const source = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  const value = JSON.parse(source);
  const isRight = canonical ? spell(value) === source : countNames(source) === countMembers(value);
  if (!isRight) throw new SyntaxError("not strict JSON");
  return value;
}

/** @param {any} value @returns {string} its canonical spelling */
function spell(value) {
  if (Array.isArray(value)) return `[${value.map(spell).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${spell(value[name])}`);
  return `{${members.join(",")}}`;
}

/** @param {string} source JSON @returns {number} how many strings in it are the name of a member */
function countNames(source) {
  return [...source.matchAll(/"(?:[^"\\]|\\.)*"\s*(:?)/g)].filter(([, colon]) => colon).length;
}

/** @param {any} value @returns {number} how many members were kept when it was parsed */
function countMembers(value) {
  if (value === null || typeof value !== "object") return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum, one) => sum + countMembers(one), own);
}

/** @param {any} value */
function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
