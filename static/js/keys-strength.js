// @ts-check
// How hard a passphrase is to guess. Loaded only when somebody chooses one: its dictionaries are large.
import { zxcvbn, zxcvbnOptions } from "@zxcvbn-ts/core";
import { adjacencyGraphs, dictionary } from "@zxcvbn-ts/language-common";

zxcvbnOptions.setOptions({ dictionary, graphs: adjacencyGraphs });

const LEAST = 14; // of ten: an attacker with the file makes perhaps a million tries a second, and needs three years on average
const LONGEST = 200;
const WORDS = 6;

/**
 * @param {string} passphrase
 * @param {string[]} about names that others would try first
 * @returns {{strong: boolean, words: string}} `words` tell it to the person
 */
export function rate(passphrase, about) {
  if (passphrase.trim() === "") return { strong: false, words: "" };
  const tens = zxcvbn(passphrase.slice(0, LONGEST), about).guessesLog10;
  if (tens >= LEAST + 4) return { strong: true, words: "Very hard to guess." };
  if (tens >= LEAST)
    return { strong: true, words: "Hard to guess. Another word would make it better still." };
  if (tens >= LEAST - 5) return { strong: false, words: "Nearly. Add one or two words." };
  return { strong: false, words: "Too easy to guess. Use six words that do not belong together." };
}

/** Six words by chance, of a list of 7,776: 77 bits. */
export function suggest() {
  const list = dictionary.diceware;
  const limit = Math.floor(2 ** 32 / list.length) * list.length;
  const chosen = [];
  while (chosen.length < WORDS) {
    const [number] = crypto.getRandomValues(new Uint32Array(1));
    if (number < limit) chosen.push(list[number % list.length]);
  }
  return chosen.join(" ");
}
