// @ts-check
import { Fault } from "../open/fault.js";
import { openIdentity } from "../open/identity.js";
import { find } from "../open/view.js";
import { busy, fetchFile, send, turn } from "./form.js";
import { identityFile, lock, makeKey } from "./identity_file.js";
import { wordsOf } from "./words.js";

const PAUSE = 150; // milliseconds without a letter until the passphrase is rated

/**
 * Make the practice's key in this page, and send it sealed under a passphrase.
 *
 * @param {HTMLFormElement} form
 */
export function wireMaking(form) {
  const field = /** @type {HTMLInputElement} */ (find("#passphrase", form));
  const words = find("[data-strength-words]", form);
  const about = [form.dataset.practice ?? "", ...(form.dataset.practice ?? "").split(" "), "capture"];
  /** @type {import("./identity_file.js").MadeKey | undefined} */
  let key;
  /** @type {Promise<typeof import("../keys-strength.js")> | undefined} */
  let loading;
  const strength = () => {
    const address = new URL(form.dataset.strength ?? "", location.href).href;
    loading ??= import(address);
    return loading;
  };
  let timer = 0;

  find("[data-start]", form).addEventListener("click", () =>
    busy(form, "Making the key", async () => {
      key = await makeKey();
      find("[data-words]", form).textContent = wordsOf(key.fingerprint);
      await strength(); // before the passphrase is asked for: a press while the form is busy does not count
      mark(1);
      turn(form);
    }),
  );
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => show().catch(() => {}), PAUSE);
  });
  find("[data-suggest]", form).addEventListener("click", async () => {
    field.value = (await strength()).suggest();
    if (field.type === "password") find(".nhsuk-js-password-input-toggle", form).click();
    await show();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(form, "Locking the key. This takes a moment", async () => {
      if (!key) throw new Fault("key", "Make the key first.");
      if (!(await show()))
        throw new Fault(
          "passphrase",
          "Choose a passphrase that is harder to guess. It alone protects the photos.",
        );
      const older = await olderSecrets(form);
      const text = identityFile(key, form.dataset.signer ?? "", new Date(), older);
      const file = await lock(text, field.value.trim());
      send(form, { recipient: key.recipient, identity_file: file });
    });
  });

  /** Say how hard the passphrase is to guess; whether it is hard enough. */
  async function show() {
    const rated = (await strength()).rate(field.value.trim(), about);
    words.textContent = rated.words;
    words.classList.toggle("app-strength--strong", rated.strong);
    return rated.strong;
  }
}

/**
 * The keys in the file that the new one takes the place of, so that one passphrase goes on to open everything.
 *
 * @param {HTMLFormElement} form
 */
async function olderSecrets(form) {
  const present = /** @type {HTMLInputElement | null} */ (form.querySelector("#present"));
  if (!present || present.value.trim() === "") return [];
  const older = await openIdentity(await fetchFile(form.dataset.older ?? ""), present.value);
  if (!older)
    throw new Fault("present", "The present passphrase is not right. Leave it empty only if it is lost.");
  return older.secrets;
}

/** @param {number} done how many of the steps on the page are */
function mark(done) {
  const steps = document.querySelectorAll("[data-steps] > li");
  for (const [index, step] of steps.entries()) {
    step.classList.toggle("app-key-steps__step--done", index < done);
    if (index === done) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  }
}
