// @ts-check
// From page to page within one document: which links are followed so, and how a fetched page takes the place of this one.

/**
 * @param {MouseEvent} event
 * @returns {HTMLAnchorElement | null} the link that a plain press follows in this tab; null where it is the browser's to do
 */
export function linkOf(event) {
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!(link instanceof HTMLAnchorElement) || !plain || event.defaultPrevented) {
    return null;
  }
  return link.target || link.hash || link.hasAttribute("download") ? null : link;
}

/** @param {string} html */
export function parse(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

/**
 * Put the <main> of a page, and what stands around it, in place of this one's; throws where there is none.
 * @param {Document} page
 * @param {string} kept - the id of what stands around it here and stays
 */
export function swap(page, kept) {
  const [old, main] = [document.querySelector("main"), page.querySelector("main")];
  if (!old?.parentElement || !main?.parentElement) {
    throw new Error("no main");
  }
  for (const part of around(old)) {
    part.remove();
  }
  old.parentElement.prepend(...around(main).map((part) => document.adoptNode(part)));
  old.replaceWith(document.adoptNode(main));
  document.title = page.title;
  document.documentElement.lang = page.documentElement.lang;

  /** @param {Element} centre */
  function around(centre) {
    return [...(centre.parentElement?.children ?? [])].filter((part) => part !== centre && part.id !== kept);
  }
}

/** Begin at the top, as on a page that was loaded. */
export function toTop() {
  const heading = document.querySelector("main")?.querySelector("h1");
  heading?.setAttribute("tabindex", "-1");
  scrollTo(0, 0);
  heading?.focus({ preventScroll: true });
}
