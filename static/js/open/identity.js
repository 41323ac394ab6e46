// @ts-check
import { armor, Decrypter, identityToRecipient, webauthn } from "age-encryption";
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
  const text = await identityText(file, passphrase);
  return text === null ? null : readIdentity(text);
}

/**
 * The same, as the text that it holds.
 *
 * @param {Uint8Array} file
 * @param {string} passphrase
 * @returns {Promise<string | null>}
 */
export async function identityText(file, passphrase) {
  const decrypter = new Decrypter();
  for (const one of new Set([passphrase, passphrase.trim()])) decrypter.addPassphrase(one);
  try {
    return await decrypter.decrypt(unarmored(file), "text");
  } catch (error) {
    if (error instanceof Error && error.message.includes("no identity matched")) return null;
    throw new Fault("identity", DAMAGED);
  }
}

/**
 * Open a file that was wrapped to a passkey; the device asks who is there. Null where that was cancelled, or the device has no
 * such passkey. Runs in the page: a worker cannot ask a device.
 *
 * @param {Uint8Array} file
 * @param {string} credential `AGE-PLUGIN-FIDO2PRF-1…`, as it was kept beside the file
 * @returns {Promise<string | null>} the text of an identity file, for `readIdentity`
 */
export async function openWithPasskey(file, credential) {
  const decrypter = new Decrypter();
  try {
    decrypter.addIdentity(new webauthn.WebAuthnIdentity({ identity: credential }));
    return await decrypter.decrypt(unarmored(file), "text");
  } catch {
    return null;
  }
}

/** @param {Uint8Array} file */
const unarmored = (file) => (ascii(file.subarray(0, 10)) === "-----BEGIN" ? armor.decode(ascii(file)) : file);

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
