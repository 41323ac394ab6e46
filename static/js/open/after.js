// @ts-check
// What the server is told once photos were opened: that they were, and that they are with the referral. No photo, no key.
import { showFaults } from "./problem.js";
import { find } from "./view.js";

/**
 * @param {HTMLElement} root of a bundle's page
 * @returns {Promise<boolean>} whether the inbox knows now
 */
export async function tellCollected({ dataset }) {
  const answer = await post(dataset.collected ?? "", dataset.csrf ?? "");
  return Boolean(answer?.ok && !answer.redirected);
}

/**
 * Take "Attached to the referral" without leaving the page, because leaving it would lock it.
 *
 * @param {HTMLElement} root
 */
export function offerAttaching(root) {
  const form = root.querySelector("#attached");
  if (!(form instanceof HTMLFormElement)) return;
  form.hidden = true;
  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    const answer = await post(form.action, root.dataset.csrf ?? "");
    if (answer?.ok && new URL(answer.url).pathname.startsWith("/staff/requests/")) {
      form.remove();
      find("[data-do=attach]", root).replaceWith(find("#attached-template").content.cloneNode(true));
      find("#attached-done", root).focus();
      return;
    }
    const sentence = "The service could not be told. Check that you are signed in, then try again.";
    showFaults([{ code: "connection", sentence, part: "" }]);
  });
}

/**
 * @param {string} address
 * @param {string} csrf
 * @returns {Promise<Response | null>} null where there was no answer
 */
function post(address, csrf) {
  const body = new URLSearchParams({ csrf_token: csrf });
  return fetch(address, { method: "POST", body }).catch(() => null);
}
