// @ts-check
const CONSONANTS = "bdfghjklmnprstvz";
const VOWELS = "aiou";

/**
 * A fingerprint as words that can be read out, as capture/domain/fingerprints.py makes them.
 *
 * @param {string} fingerprint `dc28-37f7-…`
 */
export const wordsOf = (fingerprint) =>
  fingerprint
    .split("-")
    .map((group) => word(Number.parseInt(group, 16)))
    .join(" ");

/** @param {number} number of 16 bits */
export function word(number) {
  return (
    CONSONANTS[number >> 12] +
    VOWELS[(number >> 10) & 3] +
    CONSONANTS[(number >> 6) & 15] +
    VOWELS[(number >> 4) & 3] +
    CONSONANTS[number & 15]
  );
}

/**
 * @param {string} text
 * @returns {number} the 16 bits that the word stands for; -1 where it is no such word
 */
export function numberOf(text) {
  const signs = [...text];
  if (signs.length !== 5) return -1;
  return signs.reduce((number, sign, place) => {
    const found = (place % 2 ? VOWELS : CONSONANTS).indexOf(sign);
    return number < 0 || found < 0 ? -1 : number * (place % 2 ? 4 : 16) + found;
  }, 0);
}
