// @ts-check
import { Fault } from "../open/fault.js";
import { openIdentity } from "../open/identity.js";
import { find } from "../open/view.js";
import { busy, fetchFile, fetchTests, send } from "./form.js";
import { answerOf } from "./proof.js";
import { readSheet } from "./sheet.js";

/**
 * Open a test with the key file as the server stores it, or with what is typed from the sheet, and send what was in it.
 *
 * @param {HTMLFormElement} form
 */
export function wireProof(form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(form, "Trying the key. This takes a moment", async () => {
      const identity = form.dataset.prove === "staff" ? await fromFile(form) : await fromSheet(form);
      const answer = await answerOf(await fetchTests(form), form.dataset.fingerprint ?? "", identity);
      send(form, { answer });
    });
  });
}

/** @param {HTMLFormElement} form */
async function fromFile(form) {
  const field = find("#passphrase", form);
  if (field.value.trim() === "") throw new Fault("passphrase", "Enter the passphrase");
  const identity = await openIdentity(await fetchFile(form.dataset.file ?? ""), field.value);
  if (!identity)
    throw new Fault(
      "passphrase",
      "The passphrase is not right. Check for capital letters and missing words.",
    );
  if (identity.signer !== form.dataset.signer) {
    throw new Fault("signer", "This key trusts another server than this one. Begin anew with another key.");
  }
  field.value = "";
  return identity;
}

/** @param {HTMLFormElement} form */
async function fromSheet(form) {
  const field = find("#sheet", form);
  const { secret, fingerprint } = await readSheet(field.value);
  if (fingerprint !== form.dataset.fingerprint) {
    throw new Fault("sheet", "This is another sheet than the one shown above. Was an older one printed?");
  }
  field.value = "";
  return { secrets: [secret], fingerprints: [fingerprint] };
}
