// @ts-check
import { armor, Encrypter, generateHybridIdentity, identityToRecipient } from "age-encryption";
import { fingerprint } from "../open/identity.js";

/**
 * A key made in this page. `secret` must not leave it but sealed, or on paper.
 * @typedef {object} MadeKey
 * @property {string} secret `AGE-SECRET-KEY-PQ-1…`
 * @property {string} recipient `age1pq1…`
 * @property {string} fingerprint
 */

/** @returns {Promise<MadeKey>} */
export async function makeKey() {
  const secret = await generateHybridIdentity();
  const recipient = await identityToRecipient(secret);
  return { secret, recipient, fingerprint: await fingerprint(recipient) };
}

/**
 * The text of an identity file (docs/FORMAT.md, section 2).
 *
 * @param {MadeKey} key
 * @param {string} signer the server's verifying key, which the file pins
 * @param {Date} now
 * @param {string[]} [older] secrets of keys before it, so that the same file opens what was sealed to them
 */
export function identityFile(key, signer, now, older = []) {
  const created = `${now.toISOString().slice(0, 19)}Z`;
  const comments = `# created: ${created}\n# public key: ${key.recipient}\n# signer: ${signer}\n`;
  return `${comments}${[key.secret, ...older].join("\n")}\n`;
}

/**
 * Seal a file's text under a passphrase: an armored age file. Takes a second or two (scrypt).
 *
 * @param {string} text
 * @param {string} passphrase
 * @param {number} [workFactor] a smaller one makes guessing cheaper: for tests
 */
export async function lock(text, passphrase, workFactor = 18) {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  encrypter.setScryptWorkFactor(workFactor);
  return armor.encode(await encrypter.encrypt(text));
}
