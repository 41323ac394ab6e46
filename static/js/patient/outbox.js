// @ts-check
// The photos that are on their way: one at a time, in order, kept until the server has each of them or has refused it.
import { Keep } from "./keep.js";
import { prepare } from "./prepare.js";
import { Upload } from "./tus.js";

/** @import { Waiting } from "./keep.js" */
/** @import { Arrival } from "./tus.js" */

/**
 * `arrived`: when, in ms, by the server's clock; 0 for not yet. `asked`: the patient has not said that it cannot be taken.
 * @typedef {{ id: string, title: string, url: string, arrived: number, asked: boolean, extra: boolean }} View
 */

/**
 * What a page says of the request (`data-…` of #sending).
 * @typedef {object} Facts
 * @property {string} request
 * @property {string} csrf
 * @property {string | undefined} key - opens what waits on the phone; absent, photos wait in memory only
 * @property {View[]} views
 * @property {number} total - how many photos are asked for
 * @property {string} check - the address of the page that sends them all
 * @property {number} maxBytes - the most that the server takes of one photo
 */

/**
 * @typedef {"" | "waiting" | "sending" | "arrived" | "refused"} Stage
 * @typedef {object} State
 * @property {Stage} stage
 * @property {number} percent
 * @property {"" | "signal" | "busy"} held - why no byte moves
 * @property {string} sentence - why it was refused, or what the server's check found; "" where it gave none
 */

/** @type {State} */
const NOTHING = { stage: "", percent: 0, held: "", sentence: "" };
const PASSING = new Set([0, 400, 401, 403, 404, 500]); // a refusal of the session or by a fault, not of the photo: keep it

/** Sends a "change" event whenever a state may have changed. */
export class Outbox extends EventTarget {
  /** @type {Waiting[]} */
  queue = [];
  /** @type {Map<string, State>} */
  states = new Map();
  /** @type {Set<string>} ids of photos that would survive the tab */
  kept = new Set();
  preparing = 0;
  adding = Promise.resolve(""); // the last one that was handed over
  /** @type {{ photo: Waiting, upload: Upload } | undefined} */
  current;
  /** @type {Set<string>} ids that the server may know */
  tried = new Set();
  /** bytes a second, as measured; 0 before */
  rate = 0;

  /** @param {Facts} facts */
  constructor(facts) {
    super();
    this.facts = facts;
    this.keep = Keep.open(facts.request, facts.key);
    this.ready = this.takeUp();
    addEventListener("beforeunload", (event) => {
      if (this.preparing || this.queue.some(({ id }) => !this.kept.has(id))) {
        event.preventDefault();
        event.returnValue = ""; // Chrome before 119
      }
    });
  }

  /** @param {Facts} facts - of the page that the journey has gone on to */
  refresh(facts) {
    if (facts.key !== this.facts.key) {
      this.keep = Keep.open(facts.request, facts.key);
    }
    const known = new Map(this.facts.views.map((view) => [view.id, view.arrived]));
    this.facts = facts;
    for (const view of facts.views) {
      view.arrived ||= known.get(view.id) ?? 0; // the page may be older than an answer
    }
    this.changed();
  }

  /**
   * Take a photo over: without its metadata, kept, and sent in the background. It replaces the view's waiting one.
   * @param {{ view: string, blob: Blob, anyway?: boolean }} photo
   * @returns {Promise<string>} the photo's id once it is kept; "" for a file that is gone, which is told like a refusal
   */
  add({ view, blob, anyway = false }) {
    this.set(view, { stage: "waiting" });
    this.preparing += 1;
    this.adding = this.adding.then(() => this.accept(view, blob, anyway)); // in order: a newer one replaces an older
    return this.adding;
  }

  /**
   * @param {string} view
   * @param {Blob} blob
   * @param {boolean} anyway
   */
  async accept(view, blob, anyway) {
    try {
      await this.ready;
      const bare = await prepare(blob, { maxBytes: this.facts.maxBytes, rate: this.rate });
      const photo = { id: newId(), view, anyway, at: Date.now(), blob: bare };
      const keep = await this.keep;
      if (await keep?.put(photo)) {
        this.kept.add(photo.id);
      }
      this.forget(this.queue.filter((older) => older.view === view));
      this.queue.push(photo);
      return photo.id;
    } catch {
      this.set(view, { stage: "refused" });
      return "";
    } finally {
      this.preparing -= 1;
      this.pump();
    }
  }

  /** What waited when the tab was killed. A view's older photo gives way to its newer one, here or at the server. */
  async takeUp() {
    const keep = await this.keep;
    const found = (await keep?.all()) ?? [];
    const newest = new Map(found.map((photo) => [photo.view, photo]));
    for (const photo of found) {
      const view = this.facts.views.find(({ id }) => id === photo.view);
      if (!view || view.arrived > photo.at || newest.get(photo.view) !== photo) {
        await keep?.delete(photo.id);
        continue;
      }
      this.kept.add(photo.id);
      this.tried.add(photo.id);
      this.queue.push(photo);
      this.set(photo.view, { stage: "waiting" });
    }
    this.pump();
  }

  /** Send the next one, if none is on its way. */
  pump() {
    const photo = this.queue[0];
    if (photo && !this.current) {
      const about = {
        view: photo.view,
        photo: photo.id,
        request: this.facts.request,
        anyway: photo.anyway ? "1" : "0",
      };
      const order = {
        id: photo.id,
        blob: photo.blob,
        about,
        fresh: !this.tried.has(photo.id),
        csrf: () => this.facts.csrf,
      };
      this.tried.add(photo.id);
      const upload = new Upload(order, {
        sending: (percent) => this.set(photo.view, { stage: "sending", percent }),
        waiting: (held) => this.set(photo.view, { stage: "sending", percent: upload.percent, held }),
        arrived: (arrival) => this.arrived(photo, arrival),
        refused: ({ status, sentence }) => this.refused(photo, status, sentence),
        measured: (rate) => {
          this.rate = this.rate ? (this.rate + rate) / 2 : rate;
        },
      });
      this.current = { photo, upload };
      upload.run();
    }
    this.changed();
  }

  /**
   * @param {Waiting} photo
   * @param {Arrival} arrival
   */
  arrived(photo, arrival) {
    const view = this.facts.views.find(({ id }) => id === photo.view);
    if (view) {
      view.arrived = Date.now();
    }
    const sentence = photo.anyway ? "" : arrival.hints.map((hint) => hint.sentence).join(" ");
    this.finish(photo, { stage: "arrived", percent: 100, sentence }, true);
  }

  /**
   * @param {Waiting} photo
   * @param {number} status
   * @param {string} sentence
   */
  refused(photo, status, sentence) {
    this.finish(photo, { stage: "refused", sentence }, !PASSING.has(status));
  }

  /**
   * @param {Waiting} photo
   * @param {Partial<State>} state
   * @param {boolean} done - nothing more will become of it, so it need not be kept
   */
  finish(photo, state, done) {
    this.current = undefined;
    this.queue = this.queue.filter((other) => other !== photo);
    if (done) {
      this.keep.then((keep) => keep?.delete(photo.id));
    }
    this.set(photo.view, state);
    this.pump();
  }

  /** @param {Waiting[]} photos - that a newer one replaces */
  forget(photos) {
    for (const photo of photos) {
      if (this.current?.photo === photo) {
        this.current.upload.stop();
        this.current = undefined;
      }
      this.keep.then((keep) => keep?.delete(photo.id));
    }
    this.queue = this.queue.filter((photo) => !photos.includes(photo));
  }

  /**
   * @param {string} view
   * @returns {State}
   */
  state(view) {
    const arrived = this.facts.views.some(({ id, arrived }) => id === view && arrived);
    return this.states.get(view) ?? { ...NOTHING, stage: arrived ? "arrived" : "" };
  }

  /**
   * @param {string} view
   * @param {Partial<State>} state
   */
  set(view, state) {
    this.states.set(view, { ...NOTHING, ...state });
    this.changed();
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** @returns {boolean} whether nothing is on its way */
  get empty() {
    return this.preparing === 0 && this.queue.length === 0;
  }

  /** @returns {string[]} the views that have a photo, at the server or on its way */
  get taken() {
    return this.facts.views
      .map(({ id }) => id)
      .filter((id) => !["", "refused"].includes(this.state(id).stage));
  }

  /** @returns {boolean} whether a photo could not be sent, and none has taken its place */
  get refusals() {
    return [...this.states.values()].some(({ stage }) => stage === "refused");
  }

  /** @returns {Promise<void>} resolves once nothing is on its way any more */
  async waitUntilEmpty() {
    await this.ready;
    while (!this.empty) {
      await new Promise((resolve) => this.addEventListener("change", resolve, { once: true }));
    }
  }

  /**
   * @param {string} view - the one just taken
   * @returns {string} the address of the next view that has neither arrived nor waits, else of the check page
   */
  next(view) {
    const { views, check } = this.facts;
    const place = views.findIndex(({ id }) => id === view);
    const order = [...views.slice(place + 1), ...views.slice(0, Math.max(0, place))];
    const missing = order.find(({ id, asked }) => asked && !this.taken.includes(id));
    return missing?.url ?? check;
  }
}

/** @returns {string} 32 hexadecimal digits */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
