// @ts-check
// What the patient's pages gain where there is script. Everything works without it.
import { Button, CharacterCount, createAll, ErrorSummary, SkipLink } from "nhsuk-frontend";
import { mountCheck } from "./patient/check.js";
import { Journey } from "./patient/journey.js";
import { forgetAll } from "./patient/keep.js";
import { Outbox } from "./patient/outbox.js";
import { mountPhoto } from "./patient/photo.js";
import { Status } from "./patient/status.js";

/** @param {Document | HTMLElement} scope */
function start(scope) {
  for (const component of [Button, CharacterCount, ErrorSummary]) {
    createAll(component, undefined, scope);
  }
}

/**
 * @param {Document} page
 * @returns {HTMLElement | null} what tells of the request; null where no photo can be sent
 */
function find(page) {
  return page.querySelector("#sending");
}

createAll(SkipLink);
const place = find(document);
if (place) {
  const outbox = new Outbox(factsOf(place));
  const status = new Status(place, outbox);
  const context = {
    outbox,
    go: (/** @type {string} */ url) => journey.go(url),
    stay: () => journey.stay(),
    choose: () => journey.choose(),
  };
  const journey = new Journey(
    [
      (main) => void start(main),
      (main) => mountPhoto(main, context),
      (main) => mountCheck(main, outbox, place.dataset.hold ?? ""),
    ],
    {
      arrive(page) {
        const news = find(page);
        if (!news) {
          throw new Error("not a page of the journey");
        }
        outbox.refresh(factsOf(news));
      },
      shown: () => status.show(),
      wait: (on) => status.wait(on),
      taken: () => outbox.taken,
      next() {
        const view = document.querySelector("main form[data-photo]")?.getAttribute("data-photo");
        const taken = [...outbox.taken, ...(view && !outbox.taken.includes(view) ? [view] : [])];
        return view ? { address: outbox.next(view), taken } : undefined;
      },
    },
  );
  const first = journey.choose();
  outbox.ready.then(() => {
    if (!first.aborted && !outbox.empty && [outbox.facts.check, "/photos"].includes(location.pathname)) {
      journey.go(location.href, false); // the server did not know of what waits here
    }
  });
} else {
  start(document);
  if (document.querySelector(".app-receipt")) {
    forgetAll(); // what another phone sent need not wait here
  }
}

/**
 * @param {HTMLElement} place - #sending
 * @returns {import("./patient/outbox.js").Facts}
 */
function factsOf({ dataset }) {
  return {
    request: dataset.request ?? "",
    csrf: dataset.csrf ?? "",
    key: dataset.key,
    views: JSON.parse(dataset.views ?? "[]"),
    total: Number(dataset.total),
    check: dataset.check ?? "",
    maxBytes: Number(dataset.maxBytes),
  };
}
