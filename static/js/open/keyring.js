// @ts-check
import { Fault } from "./fault.js";
import { openIdentity, readIdentity } from "./identity.js";
import { MAX_JSON } from "./manifest.js";

/**
 * @typedef {import("./bundle.js").Order} Order
 * @typedef {import("./bundle.js").FetchBytes} FetchBytes
 * @typedef {import("./identity.js").Identity} Identity
 *
 * What unlocks: the passphrase of a key file, or the text that a passkey has opened one to.
 * @typedef {{passphrase: string} | {identity: string}} Secret
 */

/** The practice's keys that were opened here. They are in this memory only, and gone with the thread that has it. */
export class Keyring {
  /** @type {Identity[]} */
  identities = [];

  /**
   * The key for these photos, unlocked where it is not yet; each try of a passphrase takes a second or two.
   *
   * @param {Order} order
   * @param {Secret | undefined} secret
   * @param {FetchBytes} fetchBytes
   * @returns {Promise<Identity>}
   */
  async find(order, secret, fetchBytes) {
    if (order.identities.length === 0) {
      throw new Fault(
        "identity",
        "Your practice has no key on this server. Use the capture open command with your key file.",
      );
    }
    const wanted = new Set(order.identities.map(({ fingerprint }) => fingerprint));
    const held = this.identities.find(({ fingerprints }) => fingerprints.some((one) => wanted.has(one)));
    if (held) return held;
    if (!secret) {
      throw new Fault(
        "another-key",
        "These photos were sealed to another key of your practice. Enter its passphrase.",
      );
    }
    const opened = await unlock(order, secret, fetchBytes);
    this.identities.push(opened);
    return opened;
  }
}

/**
 * @param {Order} order
 * @param {Secret} secret
 * @param {FetchBytes} fetchBytes
 */
async function unlock(order, secret, fetchBytes) {
  if ("identity" in secret) return readIdentity(secret.identity);
  for (const url of new Set(order.identities.map((one) => one.url))) {
    const file = await fetchBytes(url, "The key file", MAX_JSON);
    const identity = await openIdentity(file, secret.passphrase);
    if (identity) return identity;
  }
  throw new Fault("passphrase", "The passphrase is not right. Check for capital letters and missing words.");
}
