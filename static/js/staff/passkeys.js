// @ts-check
// Forms with data-passkey: the device makes ("create") or shows ("get") a passkey, and its answer goes with the form; where a
// passkey is one of two ways, at the button in data-with-passkey.

/** @param {string} text base64url */
const toBytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));

/** @param {ArrayBuffer} buffer */
const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

/** Show the forms that use passkeys, where the browser can. */
export function offerPasskeys() {
  if (!window.PublicKeyCredential) return;
  for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (
    document.querySelectorAll("form[data-passkey]")
  )) {
    const field = /** @type {HTMLInputElement} */ (form.elements.namedItem("credential"));
    const choice = /** @type {HTMLElement | null} */ (form.querySelector("[data-with-passkey]"));
    const start = () => {
      if (form.reportValidity()) answer(form, field);
    };
    if (choice) {
      choice.hidden = false;
      choice.querySelector("button")?.addEventListener("click", start);
      continue;
    }
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      if (field.value) return;
      event.preventDefault();
      start();
    });
  }
  for (const note of document.querySelectorAll("[data-no-passkey]")) note.remove();
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLInputElement} field
 */
async function answer(form, field) {
  const problem = /** @type {HTMLElement} */ (form.querySelector("[data-problem]"));
  problem.textContent = "";
  try {
    const options = await fetchOptions(form);
    field.value = JSON.stringify(
      form.dataset.passkey === "create" ? await create(options) : await get(options),
    );
  } catch (error) {
    problem.textContent = sentence(/** @type {Error} */ (error));
    return;
  }
  form.submit();
}

/** @param {HTMLFormElement} form */
async function fetchOptions(form) {
  const token = /** @type {HTMLInputElement} */ (form.elements.namedItem("csrf_token")).value;
  const headers = { Accept: "application/json", "X-CSRFToken": token };
  const response = await fetch(form.dataset.options ?? "", { method: "POST", headers });
  const found = await response.json();
  if (!response.ok) throw new Error(found.error.sentence);
  return found;
}

/** @param {any} options as the server writes them: bytes in base64url */
async function create(options) {
  const publicKey = {
    ...options,
    challenge: toBytes(options.challenge),
    user: { ...options.user, id: toBytes(options.user.id) },
    excludeCredentials: options.excludeCredentials.map(withBytes),
  };
  const made = /** @type {PublicKeyCredential} */ (await navigator.credentials.create({ publicKey }));
  const response = /** @type {AuthenticatorAttestationResponse} */ (made.response);
  return credential(made, { attestationObject: toText(response.attestationObject) });
}

/** @param {any} options */
async function get(options) {
  const publicKey = { ...options, challenge: toBytes(options.challenge), allowCredentials: [] };
  const shown = /** @type {PublicKeyCredential} */ (await navigator.credentials.get({ publicKey }));
  const response = /** @type {AuthenticatorAssertionResponse} */ (shown.response);
  return credential(shown, {
    authenticatorData: toText(response.authenticatorData),
    signature: toText(response.signature),
    userHandle: response.userHandle ? toText(response.userHandle) : null,
  });
}

/** @param {{id: string}} known */
const withBytes = (known) => ({ ...known, id: toBytes(known.id) });

/**
 * @param {PublicKeyCredential} one
 * @param {Record<string, string | null>} response
 */
function credential(one, response) {
  const clientDataJSON = toText(one.response.clientDataJSON);
  return {
    id: one.id,
    rawId: toText(one.rawId),
    type: one.type,
    response: { clientDataJSON, ...response },
  };
}

/** @param {Error} error */
function sentence(error) {
  if (error.name === "InvalidStateError") return "This device has a passkey for you already.";
  if (error.name === "NotAllowedError")
    return "Nothing was done: it was cancelled, it took too long, or this device has no passkey for this service.";
  return error instanceof TypeError || error instanceof DOMException
    ? "The passkey did not work. Try again."
    : error.message;
}
