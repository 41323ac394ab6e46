// @ts-check
import { armor, Decrypter, identityToRecipient } from "age-encryption";
import { Fault } from "./fault.js";
import { ascii, hex, sha256 } from "./octets.js";

/**
 * An opened identity file (docs/FORMAT.md, "Identity file").
 * @typedef {object} Identity
 * @property {string[]} secrets `AGE-SECRET-KEY-PQ-1…`, one or more
 * @property {string[]} fingerprints of their recipients, in the same order
 * @property {string} signer the server's verifying key that the practice pinned, `ed25519:` and base64
 */

const DAMAGED = "Your practice’s key file is damaged. Tell the manager who looks after the keys.";

/**
 * Open an identity file with its passphrase. Takes a second or two (scrypt). Answers null where the passphrase is not this
 * file's, and throws a Fault where the file itself is not what it should be.
 *
 * @param {Uint8Array} file armored or binary age file
 * @param {string} passphrase as typed; spaces around it, as pasting leaves them, do not matter
 * @returns {Promise<Identity | null>}
 */
export async function openIdentity(file, passphrase) {
  const decrypter = new Decrypter();
  for (const one of new Set([passphrase, passphrase.trim()])) decrypter.addPassphrase(one);
  let text;
  try {
    const isArmored = ascii(file.subarray(0, 10)) === "-----BEGIN";
    text = await decrypter.decrypt(isArmored ? armor.decode(ascii(file)) : file, "text");
  } catch (error) {
    if (error instanceof Error && error.message.includes("no identity matched")) return null;
    throw new Fault("identity", DAMAGED);
  }
  return readIdentity(text);
}

/**
 * @param {string} text of an identity file
 * @returns {Promise<Identity>}
 */
export async function readIdentity(text) {
  const lines = text.split(/\r?\n/);
  const secrets = lines.filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const signers = new Set(named(lines, "signer"));
  if (signers.size !== 1) {
    throw new Fault(
      "signer",
      "Your practice’s key file does not say whose signature to trust, so nothing was opened.",
    );
  }
  try {
    const recipients = await Promise.all(secrets.map((secret) => identityToRecipient(secret)));
    const isHybrid = recipients.every((recipient) => recipient.startsWith("age1pq1"));
    const isOurs = named(lines, "public key").every((key) => recipients.includes(key));
    if (secrets.length === 0 || !isHybrid || !isOurs) throw new Error("not an identity file of ours");
    return { secrets, fingerprints: await Promise.all(recipients.map(fingerprint)), signer: [...signers][0] };
  } catch {
    throw new Fault("identity", DAMAGED);
  }
}

/**
 * What the comments of this name say.
 *
 * @param {string[]} lines
 * @param {string} name
 */
const named = (lines, name) =>
  lines.flatMap((line) => (line.startsWith(`# ${name}: `) ? line.slice(name.length + 4) : []));

/**
 * What two people read to each other to compare keys: 32 hexadecimal digits in eight groups.
 *
 * @param {string} text of a recipient or signer
 */
export async function fingerprint(text) {
  const digest = hex(await sha256(new TextEncoder().encode(text)));
  return /** @type {string[]} */ (digest.slice(0, 32).match(/.{4}/g)).join("-");
}
