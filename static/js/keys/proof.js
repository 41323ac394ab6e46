// @ts-check
import { Decrypter } from "age-encryption";
import { Fault } from "../open/fault.js";
import { fromBase64 } from "../open/octets.js";

/**
 * A test that the server sealed to one key.
 * @typedef {object} SealedTest
 * @property {string} kind
 * @property {string} fingerprint
 * @property {string} sealed base64 of an age file
 */

/**
 * What stands in the test of this key. Throws a Fault where the key is not the one that is to be tried.
 *
 * @param {SealedTest[]} tests
 * @param {string} fingerprint of the key to be tried
 * @param {{secrets: string[], fingerprints: string[]}} identity
 * @returns {Promise<string>} the answer
 */
export async function answerOf(tests, fingerprint, identity) {
  if (!identity.fingerprints.includes(fingerprint)) {
    throw new Fault("key", "This is another key than the one shown above.");
  }
  const test = tests.find((one) => one.fingerprint === fingerprint);
  if (!test) throw new Fault("test", "This key was tried already. Reload the page.");
  const decrypter = new Decrypter();
  for (const secret of identity.secrets) decrypter.addIdentity(secret);
  try {
    return await decrypter.decrypt(fromBase64(test.sealed), "text");
  } catch {
    throw new Fault("test", "The key did not open the test. Begin anew with another key.");
  }
}
