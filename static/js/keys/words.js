// @ts-check
const CONSONANTS = "bdfghjklmnprstvz";
const VOWELS = "aiou";

/**
 * A fingerprint as words that can be read out, as capture/domain/fingerprints.py makes them.
 *
 * @param {string} fingerprint `dc28-37f7-…`
 */
export const wordsOf = (fingerprint) => fingerprint.split("-").map(word).join(" ");

/** @param {string} group four hexadecimal digits */
function word(group) {
  const number = Number.parseInt(group, 16);
  return (
    CONSONANTS[number >> 12] +
    VOWELS[(number >> 10) & 3] +
    CONSONANTS[(number >> 6) & 15] +
    VOWELS[(number >> 4) & 3] +
    CONSONANTS[number & 15]
  );
}
