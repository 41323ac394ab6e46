// @ts-check
// From page to page without leaving: the next page is fetched and its <main> put in place of this one's, so that photos go on
// being sent. Whatever goes wrong ends in an ordinary navigation, except that there is no signal: then we wait here.
import { linkOf, parse, swap, toTop } from "../pages.js";

/**
 * Starts what a page does beyond its HTML; gives what ends it, or nothing where the page is not its own.
 * @typedef {(main: HTMLElement) => (() => void) | undefined} Controller
 */

/**
 * @typedef {object} Listener
 * @property {(page: Document) => void} arrive - a page has come in; throws where it is not one of the journey
 * @property {() => void} shown - and is there
 * @property {(on: boolean) => void} wait - there is no signal to fetch it
 * @property {() => string[]} taken - the views that have a photo, at the server or still on its way
 * @property {() => { address: string, taken: string[] } | undefined} next - what comes when the photo of this page is taken
 */

/** @typedef {{ address: string, html: string }} Page */

const PATHS = /^\/(photos(\/[a-z0-9-]+)?|check)$/;
const AGAIN = 3_000; // milliseconds between two tries without signal
const AHEAD = 3_000; // milliseconds that a page has for itself before the next one is fetched

export class Journey {
  path = location.pathname;
  /** @type {(() => void)[]} */
  endings = [];
  choice = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  later;
  /** @type {Map<string, Page>} what was fetched ahead; each is used once */
  stock = new Map();

  /**
   * @param {Controller[]} controllers
   * @param {Listener} listener
   */
  constructor(controllers, listener) {
    this.controllers = controllers;
    this.listener = listener;
    document.addEventListener("click", (event) => this.clicked(event));
    document.addEventListener("change", () => this.ahead()); // a photo was picked
    addEventListener("popstate", () => {
      if (location.pathname !== this.path) {
        this.go(location.href, false); // and not only a step to a part of the page
      }
    });
    addEventListener("pageshow", (event) => {
      if (event.persisted) {
        this.go(location.href, false); // back out of the browser's cache: it may be long ago
      }
    });
    this.mount();
  }

  /** @param {MouseEvent} event */
  clicked(event) {
    const link = linkOf(event);
    if (link && isOurs(link)) {
      event.preventDefault();
      this.go(link.href);
    }
  }

  /**
   * @param {string} address
   * @param {boolean} [push] - false where the address bar says so already
   */
  async go(address, push = true) {
    const choice = this.choose();
    try {
      const page = await this.fetch(address, choice);
      if (choice.aborted) {
        return;
      }
      if (push) {
        history.pushState(null, "", page.address);
      } else if (page.address !== location.href) {
        history.replaceState(null, "", page.address);
      }
      this.path = location.pathname;
      this.show(parse(page.html));
    } catch {
      if (!choice.aborted) {
        location.assign(address);
      }
    }
  }

  /** Wait for no other page any more. */
  stay() {
    this.choose();
    this.listener.wait(false);
  }

  /** @returns {AbortSignal} of the patient's newest choice where to be: aborted by the next one, as the one before is now */
  choose() {
    this.choice.abort();
    this.choice = new AbortController();
    return this.choice.signal;
  }

  /**
   * @param {string} address
   * @param {AbortSignal} signal
   * @returns {Promise<Page>} as soon as there is signal; throws where it is not a page of the journey
   */
  async fetch(address, signal) {
    const taken = this.listener.taken();
    const stocked = this.stock.get(keyOf(address, taken));
    this.stock.clear();
    for (;;) {
      const page = stocked ?? (await load(address, taken, signal));
      if (signal.aborted) {
        throw signal.reason;
      }
      this.listener.wait(!page);
      if (page) {
        return page;
      }
      await signalOr(AGAIN, signal);
    }
  }

  /** Fetch the page that comes after this one, with its drawings, so that it is here when the signal is not. */
  async ahead() {
    const next = this.listener.next();
    const key = next && keyOf(next.address, next.taken);
    if (!next || !key || this.stock.has(key)) {
      return;
    }
    const page = await load(next.address, next.taken).catch(() => undefined);
    if (page) {
      this.stock.set(key, page);
      for (const image of parse(page.html).querySelectorAll("main img")) {
        new Image().src = image.getAttribute("src") ?? "";
      }
    }
  }

  /** @param {Document} page */
  show(page) {
    this.listener.arrive(page);
    for (const end of this.endings) {
      end();
    }
    swap(page, "sending");
    this.mount();
    this.listener.shown();
    toTop();
    clearTimeout(this.later);
    this.later = setTimeout(() => this.ahead(), AHEAD);
  }

  mount() {
    const main = document.querySelector("main");
    /** @type {(() => void)[]} */
    this.endings = [];
    for (const controller of main ? this.controllers : []) {
      const end = controller(/** @type {HTMLElement} */ (main));
      if (end) {
        this.endings.push(end);
      }
    }
  }
}

/**
 * One try.
 * @param {string} address
 * @param {string[]} taken
 * @param {AbortSignal} [signal]
 * @returns {Promise<Page | undefined>} undefined without signal; throws where it is not a page of the journey
 */
async function load(address, taken, signal) {
  const headers = { Accept: "text/html", "X-Waiting": taken.join(",") };
  const answer = await fetch(address, { headers, signal }).catch(() => undefined);
  const html = await answer?.text().catch(() => undefined);
  if (!answer || html === undefined) {
    return undefined;
  }
  if (!answer.ok || !isOurs(new URL(answer.url))) {
    throw new Error(`${answer.status}`);
  }
  return { address: answer.url, html };
}

/**
 * @param {string} address
 * @param {string[]} taken
 */
function keyOf(address, taken) {
  return [new URL(address, location.href).pathname, ...[...taken].sort()].join(" ");
}

/** @param {{ origin: string, pathname: string, search: string }} address */
function isOurs({ origin, pathname, search }) {
  return origin === location.origin && PATHS.test(pathname) && !search;
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 * @returns {Promise<void>} when that much time is over, the signal comes back, or nobody waits any more
 */
function signalOr(milliseconds, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}
