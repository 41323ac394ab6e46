// @ts-check
import { report } from "./fault.js";
import { fetchBytes } from "./fetching.js";
import { openWithPasskey } from "./identity.js";
import { MAX_JSON } from "./manifest.js";
import { showFaults } from "./problem.js";
import { find } from "./view.js";

/** @typedef {import("./bundle.js").Passkey} Passkey */

const UNUSED = "No passkey was used. Try again, or enter the passphrase.";

/**
 * A button for each passkey of this member that opens these photos. The device is asked here, since a worker cannot ask it.
 *
 * @param {HTMLElement} root of a bundle's page
 * @param {Passkey[]} passkeys
 * @param {(secret: {identity: string}) => void} open
 */
export function offerPasskeys(root, passkeys, open) {
  if (!("PublicKeyCredential" in globalThis)) return;
  const place = find("#open-passkeys", root);
  place.hidden = passkeys.length === 0;
  for (const { name, url, credential } of new Map(passkeys.map((one) => [one.url, one])).values()) {
    const button = find("#passkey-template").content.cloneNode(true).firstElementChild;
    button.textContent = passkeys.length > 1 ? `Unlock with a passkey: ${name}` : "Unlock with a passkey";
    button.addEventListener("click", async () => {
      showFaults([]);
      try {
        const identity = await openWithPasskey(await fetchBytes(url, "The key file", MAX_JSON), credential);
        if (identity) open({ identity });
        else showFaults([{ code: "passkey", sentence: UNUSED, part: "" }]);
      } catch (error) {
        showFaults([report(error)]);
      }
    });
    place.append(button);
  }
}
