// @ts-check
// From bundle to inbox to the next bundle without leaving the document, so that the key, which is in its memory only, stays
// unlocked. Whatever goes wrong, and every other page, is an ordinary navigation: then the key is gone.
import { linkOf, parse, swap, toTop } from "../pages.js";

const SEARCH = "/staff/search";
const PATHS = /^\/staff\/((bundles|requests)\/[0-9a-f]{32})?$/;

/**
 * @param {object} what
 * @param {string} what.kept the id of what stays beside <main>
 * @param {() => boolean} what.wanted whether there is a key to keep
 * @param {() => () => void} what.mount starts what a page does, and gives what ends it
 */
export function goRounds({ kept, wanted, mount }) {
  let end = mount();
  let at = here();
  /** @type {AbortController | undefined} */
  let fetching;

  /**
   * @param {string} address
   * @param {HTMLFormElement} [form] that is sent there; its answer is shown where one is, as it has no address of its own
   */
  const go = async (address, form) => {
    fetching?.abort();
    fetching = new AbortController();
    const { signal } = fetching;
    try {
      const sent = form && {
        method: "POST",
        body: new URLSearchParams(/** @type {any} */ (new FormData(form))),
      };
      const answer = await fetch(address, { headers: { Accept: "text/html" }, signal, ...sent });
      const page = parse(await answer.text());
      if (!answer.ok || !(form ? answer.url === address : isOurs(answer.url)))
        throw new Error(`${answer.status}`);
      if (!form && answer.url !== location.href) history.pushState(null, "", answer.url);
      at = here();
      end();
      swap(page, kept);
      document.querySelector("header nav")?.replaceWith(...page.querySelectorAll("header nav"));
      document.dispatchEvent(new Event("swapped"));
      end = mount();
      toTop();
    } catch {
      if (signal.aborted) return;
      if (form) form.submit();
      else location.assign(address);
    }
  };
  document.addEventListener("click", (event) => {
    const link = wanted() ? linkOf(event) : null;
    if (!link || !isOurs(link.href)) return;
    event.preventDefault();
    go(link.href);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!wanted() || !(form instanceof HTMLFormElement) || new URL(form.action).pathname !== SEARCH) return;
    event.preventDefault();
    go(form.action, form);
  });
  addEventListener("popstate", () => {
    if (here() !== at) go(location.href); // and not only a step to a part of the page
  });
}

const here = () => location.pathname + location.search;

/** @param {string} address */
function isOurs(address) {
  const { origin, pathname, search } = new URL(address, location.href);
  return origin === location.origin && PATHS.test(pathname) && (!search || pathname === "/staff/");
}
