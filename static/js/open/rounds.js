// @ts-check
// From bundle to inbox to the next bundle without leaving the document, so that the key, which is in its memory only, stays
// unlocked. Whatever goes wrong, and every other page, is an ordinary navigation: then the key is gone.
import { linkOf, parse, swap, toTop } from "../pages.js";

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

  /** @param {string} address */
  const go = async (address) => {
    fetching?.abort();
    fetching = new AbortController();
    const { signal } = fetching;
    try {
      const answer = await fetch(address, { headers: { Accept: "text/html" }, signal });
      const page = parse(await answer.text());
      if (!answer.ok || !isOurs(answer.url)) throw new Error(`${answer.status}`);
      if (answer.url !== location.href) history.pushState(null, "", answer.url);
      at = here();
      end();
      swap(page, kept);
      document.querySelector("header nav")?.replaceWith(...page.querySelectorAll("header nav"));
      document.dispatchEvent(new Event("swapped"));
      end = mount();
      toTop();
    } catch {
      if (!signal.aborted) location.assign(address);
    }
  };
  document.addEventListener("click", (event) => {
    const link = wanted() ? linkOf(event) : null;
    if (!link || !isOurs(link.href)) return;
    event.preventDefault();
    go(link.href);
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
