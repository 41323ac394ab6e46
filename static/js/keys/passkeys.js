// @ts-check
import { armor, Encrypter, webauthn } from "age-encryption";
import { Fault } from "../open/fault.js";
import { identityText } from "../open/identity.js";
import { find } from "../open/view.js";
import { busy, fetchFile, send } from "./form.js";

/**
 * Wrap the practice's key once more, to a passkey of this member's device, so that it opens without the passphrase.
 *
 * @param {HTMLFormElement} form
 */
export function wirePasskeys(form) {
  if (!window.PublicKeyCredential) {
    find("[data-problem]", form).textContent =
      "This browser has no passkeys. The passphrase works as before.";
    return;
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(form, "Unlocking the key. This takes a moment", async () => {
      const [name, passphrase] = [find("#name", form).value.trim(), find("#passphrase", form)];
      if (name === "") throw new Fault("name", "Enter a name for the passkey, for example Work laptop");
      if (passphrase.value.trim() === "") throw new Fault("passphrase", "Enter the passphrase");
      const text = await identityText(await fetchFile(form.dataset.file ?? ""), passphrase.value);
      if (text === null)
        throw new Fault(
          "passphrase",
          "The passphrase is not right. Check for capital letters and missing words.",
        );
      passphrase.value = "";
      send(form, await wrap(text, `${name} (${form.dataset.practice})`));
    });
  });
}

/**
 * @param {string} text of the identity file
 * @param {string} keyName that the device shows
 */
async function wrap(text, keyName) {
  try {
    const credential = await webauthn.createCredential({ keyName });
    const encrypter = new Encrypter();
    encrypter.addRecipient(new webauthn.WebAuthnRecipient({ identity: credential }));
    return { credential, file: armor.encode(await encrypter.encrypt(text)) };
  } catch (error) {
    const isOld = error instanceof Error && error.message.includes("PRF");
    throw new Fault(
      "passkey",
      isOld
        ? "This device’s passkeys can sign you in, but not unlock photos. Use the passphrase, or another device."
        : "Nothing was done: it was cancelled, or it took too long.",
    );
  }
}
