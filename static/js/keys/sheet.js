// @ts-check
import { identityToRecipient } from "age-encryption";
import { Fault } from "../open/fault.js";
import { fingerprint } from "../open/identity.js";

const PREFIX = "AGE-SECRET-KEY-PQ-1";
const LENGTH = 58; // 52 letters for 32 bytes, 6 of checksum

/**
 * What is printed behind the prefix: groups of four letters, in capitals. The last six letters are Bech32's checksum.
 *
 * @param {string} secret
 * @returns {string[]} 14 groups of four and one of two
 */
export const groupsOf = (secret) => secret.slice(PREFIX.length).match(/.{1,4}/g) ?? [];

/**
 * Read what was typed or scanned from a sheet. Spaces, dashes, line ends and the case of letters do not matter, the prefix may be
 * missing. Throws a Fault that says what is wrong with it.
 *
 * @param {string} typed
 * @returns {Promise<{secret: string, fingerprint: string}>}
 */
export async function readSheet(typed) {
  const plain = typed.toUpperCase().replace(/[^A-Z0-9]/g, "");
  const letters = plain.replace(/^AGESECRETKEYPQ1/, "");
  if (letters === "") throw new Fault("sheet", "Type the letters of the sheet");
  const odd = letters.match(/[BIO1]/);
  if (odd)
    throw new Fault(
      "sheet",
      `The sheet has no ${odd[0]}: it may be ${{ B: "8", I: "J or L", O: "0", 1: "L" }[odd[0]]}`,
    );
  if (letters.length !== LENGTH) {
    const difference = Math.abs(letters.length - LENGTH);
    const words = letters.length < LENGTH ? "missing" : "too many";
    throw new Fault(
      "sheet",
      `${difference} ${difference === 1 ? "letter is" : "letters are"} ${words}. The sheet has ${LENGTH}`,
    );
  }
  const secret = PREFIX + letters;
  try {
    return { secret, fingerprint: await fingerprint(await identityToRecipient(secret)) };
  } catch {
    throw new Fault("sheet", "A letter is not as it is on the sheet. Compare each group again");
  }
}
