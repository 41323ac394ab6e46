// @ts-check
import { identityToRecipient } from "age-encryption";
import { Fault } from "../open/fault.js";
import { fingerprint } from "../open/identity.js";
import { numberOf, word } from "./words.js";

const PREFIX = "AGE-SECRET-KEY-PQ-1";
const LETTERS = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"; // of Bech32 (BIP 173), five bits each
const LENGTH = 58; // 52 letters for 32 bytes, 6 of checksum
const WORDS = 19; // of 16 bits each; the last has 14 to spare

/**
 * What is printed: the letters behind the prefix, checksum and all, as words that can be read out and typed.
 *
 * @param {string} secret
 * @returns {string[]} 19 words of five letters
 */
export function sheetWords(secret) {
  const bits = [...secret.slice(PREFIX.length)].map((letter) => binary(LETTERS.indexOf(letter), 5)).join("");
  const groups = bits.padEnd(16 * WORDS, "0").match(/.{16}/g) ?? [];
  return groups.map((group) => word(Number.parseInt(group, 2)));
}

/**
 * Read what was typed from a sheet, or scanned from its code. Spaces, numbers, dashes, line ends and the case of letters do not
 * matter. Throws a Fault that says what is wrong with it.
 *
 * @param {string} typed
 * @returns {Promise<{secret: string, fingerprint: string}>}
 */
export async function readSheet(typed) {
  const isCode = typed.trim().toUpperCase().startsWith(PREFIX);
  const secret = isCode ? typed.trim().toUpperCase() : secretOf(typed.toLowerCase().match(/[a-z]+/g) ?? []);
  try {
    return { secret, fingerprint: await fingerprint(await identityToRecipient(secret)) };
  } catch {
    throw new Fault("sheet", "A word is not as it is on the sheet. Compare each one again");
  }
}

/** @param {string[]} words */
function secretOf(words) {
  if (words.length === 0) throw new Fault("sheet", "Type the words of the sheet");
  const numbers = words.map(numberOf);
  const wrong = numbers.indexOf(-1);
  if (wrong >= 0)
    throw new Fault("sheet", `Word ${wrong + 1} is not as it is on the sheet: they all look like “lusab”`);
  if (words.length !== WORDS) {
    const difference = Math.abs(words.length - WORDS);
    const what = words.length < WORDS ? "missing" : "too many";
    throw new Fault(
      "sheet",
      `${difference} ${difference === 1 ? "word is" : "words are"} ${what}. The sheet has ${WORDS}`,
    );
  }
  const bits = numbers.map((number) => binary(number, 16)).join("");
  const groups = bits.slice(0, 5 * LENGTH).match(/.{5}/g) ?? [];
  return PREFIX + groups.map((group) => LETTERS[Number.parseInt(group, 2)]).join("");
}

/**
 * @param {number} number
 * @param {number} length in bits
 */
const binary = (number, length) => number.toString(2).padStart(length, "0");
