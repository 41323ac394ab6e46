// @ts-check
// One photo on its way by tus 1.0 (https://tus.io/protocols/resumable-upload): created, sent in pieces, gone on with from
// where the server has got to. A lost connection is never given up; a refusal ends it.
import { Watched } from "./watched.js";

/** @import { Answer } from "./watched.js" */

/**
 * The server's answer for a photo that is durable.
 * @typedef {{ id: string, message: string, hints: { code: string, sentence: string }[], next: string, arrived: number, total: number }} Arrival
 */

/**
 * @typedef {object} Order
 * @property {string} id - 32 hexadecimal digits; the same on every try, so that nothing is doubled
 * @property {Blob} blob
 * @property {Record<string, string>} about - what the server has to know, each value in plain text
 * @property {boolean} fresh - never tried before, so there is nothing to ask the server about
 * @property {() => string} csrf
 */

/**
 * @typedef {object} Listener
 * @property {(percent: number) => void} sending - bytes move; 100 when every byte has left and the server is at work
 * @property {(reason: "signal" | "busy") => void} waiting - no byte moves, or the server asked to be left alone for a while
 * @property {(arrival: Arrival) => void} arrived
 * @property {(refusal: { status: number, code: string, sentence: string }) => void} refused - `sentence` is "" where the server gave none
 * @property {(bytesPerSecond: number) => void} [measured]
 */

const GIVEN_UP = 12_000; // milliseconds without a byte moving, after which a try is given up for a new one
const CLEANING = 45_000; // the same for the last piece, whose answer comes when the photo is clean, sealed and stored
const SMALLEST = 32_768; // bytes of a piece
const FIRST = 131_072;
const LARGEST = 524_288;
const PIECE_SECONDS = 5; // what a piece should take, so that a drop on a slow connection costs little
const LONGEST_WAIT = 15; // seconds between two tries, of our own choice
const AGAIN = new Set([0, 408, 423, 425, 429, 500, 502, 503, 504, 507]);
const FAULTS = 8; // answers of 500 in a row, after which it is this photo that the server cannot take

/** The connection or the server is not there: try again, not before `seconds` have passed if the server asked for that. */
class Lost extends Error {
  /** @param {number} seconds */
  constructor(seconds) {
    super("lost");
    this.seconds = seconds;
  }
}

class Refused extends Error {
  /** @param {Answer} answer */
  constructor({ status, body }) {
    super("refused");
    this.refusal = { status, code: body?.error?.code ?? "", sentence: body?.error?.sentence ?? "" };
  }
}

export class Upload {
  url;
  offset = 0;
  percent = 0;
  tries = 0;
  faults = 0;
  piece = FIRST;
  stopped = false;
  hurried = false;
  /** @type {Watched | undefined} */
  request;
  /** @type {(() => void) | undefined} ends the wait between two tries */
  hurry;

  /**
   * @param {Order} order
   * @param {Listener} listener
   */
  constructor(order, listener) {
    this.order = order;
    this.listener = listener;
    this.url = `/uploads/${order.id}`;
    this.known = !order.fresh;
  }

  /** Send until it has arrived, been refused or been stopped. */
  async run() {
    addEventListener("online", this.wake);
    document.addEventListener("visibilitychange", this.wake);
    try {
      for (let arrival; !this.stopped && !arrival; ) {
        arrival = await this.attempt();
        if (arrival && !this.stopped) {
          this.listener.arrived(arrival);
        }
      }
    } catch (error) {
      if (!(error instanceof Refused)) {
        throw error;
      }
      if (!this.stopped) {
        this.listener.refused(error.refusal);
      }
    } finally {
      removeEventListener("online", this.wake);
      document.removeEventListener("visibilitychange", this.wake);
    }
  }

  /** Stop for good; the server is told, so that it frees the memory, but nobody waits for that. */
  stop() {
    this.stopped = true;
    this.hurry?.();
    this.request?.abort();
    const headers = { "Tus-Resumable": "1.0.0", "X-CSRFToken": this.order.csrf() };
    fetch(this.url, { method: "DELETE", headers, keepalive: true }).catch(() => {});
  }

  /** The signal may be back: do not wait any longer for the next try, nor for one that hangs. */
  wake = () => {
    if (document.visibilityState === "visible" && navigator.onLine) {
      this.tries = 0;
      this.hurry?.();
      if (this.request?.quiet) {
        this.hurried = true;
        this.request.abort();
      }
    }
  };

  /** @returns {Promise<Arrival | undefined>} undefined to try again */
  async attempt() {
    try {
      this.offset = this.known ? await this.ask() : await this.create();
      this.known = true;
      while (this.offset < this.order.blob.size) {
        await this.send();
      }
      const answer = await this.call("GET", this.url);
      return this.check(answer, 200) ? answer.body : await this.rest(0); // 404: it is being cleaned still, or was lost
    } catch (error) {
      if (!(error instanceof Lost) || this.stopped) {
        if (this.stopped) {
          return undefined;
        }
        throw error;
      }
      this.piece = Math.max(SMALLEST, this.piece / 2);
      return this.rest(error.seconds);
    }
  }

  /** @returns {Promise<number>} 0, where a new upload begins */
  async create() {
    const about = Object.entries(this.order.about).map(([name, value]) => `${name} ${btoa(value)}`);
    const headers = { "Upload-Length": String(this.order.blob.size), "Upload-Metadata": about.join(",") };
    const answer = await this.call("POST", "/uploads", headers);
    if (!this.check(answer, 201)) {
      throw new Refused(answer);
    }
    return 0;
  }

  /** @returns {Promise<number>} how many bytes the server has; 0 after it has forgotten them and was told anew */
  async ask() {
    const answer = await this.call("HEAD", this.url);
    const refused = answer.status >= 400 && !AGAIN.has(answer.status); // without a body: creating it anew tells why
    return !refused && this.check(answer, 200) ? (answer.offset ?? 0) : this.create();
  }

  /** Send the next piece. */
  async send() {
    const from = this.offset;
    const to = Math.min(from + this.piece, this.order.blob.size);
    const headers = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(from) };
    const began = performance.now();
    const answer = await this.call("PATCH", this.url, headers, this.order.blob.slice(from, to));
    if (answer.status === 409 && answer.offset !== undefined) {
      if (answer.offset === from) {
        throw new Lost(0); // it is at work on this very piece
      }
      this.offset = answer.offset; // another tab, or a try whose answer was lost, got further
    } else if (this.check(answer, 204)) {
      this.offset = answer.offset ?? to;
      this.tries = this.faults = 0;
      this.tell(this.offset);
      if (to < this.order.blob.size) {
        this.pace(to - from, (performance.now() - began) / 1000); // the last one's time is the server's work
      }
    } else {
      this.offset = await this.create(); // forgotten: the server was started anew, or it took too long
    }
  }

  /**
   * Size the next piece by how quick this one was.
   * @param {number} bytes
   * @param {number} seconds
   */
  pace(bytes, seconds) {
    const rate = bytes / Math.max(seconds, 0.001);
    const wanted = Math.min(rate * PIECE_SECONDS, 4 * this.piece);
    this.piece = Math.round(Math.min(LARGEST, Math.max(SMALLEST, wanted)));
    this.listener.measured?.(rate);
  }

  /**
   * @param {Answer} answer
   * @param {number} wanted - the status of success
   * @returns {boolean} false where the server knows nothing of this photo; throws on every other failure
   */
  check(answer, wanted) {
    if (answer.status === wanted) {
      return true;
    }
    this.faults = answer.status === 500 ? this.faults + 1 : 0;
    const spent = answer.status === 429 && !answer.wait; // a quota, which no waiting gives back
    if (AGAIN.has(answer.status) && !spent && this.faults < FAULTS) {
      throw new Lost(answer.wait);
    }
    if (answer.status !== 404 || answer.body?.error?.code === "link-closed") {
      throw new Refused(answer);
    }
    return false;
  }

  /**
   * Wait before the next try; cut short by `wake`, unless the server asked for it.
   * @param {number} asked - seconds
   * @returns {Promise<undefined>}
   */
  async rest(asked) {
    const own = Math.min(LONGEST_WAIT, 2 ** this.tries) * (0.5 + Math.random() / 2);
    this.tries += 1;
    if (this.hurried && !asked) {
      this.hurried = false;
      return undefined;
    }
    this.listener.waiting(asked ? "busy" : "signal");
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, 1000 * Math.max(asked, own));
      this.hurry = () => {
        if (!asked || this.stopped) {
          clearTimeout(timer);
          resolve(undefined);
        }
      };
    });
    this.hurry = undefined;
    return undefined;
  }

  /**
   * @param {string} method
   * @param {string} url
   * @param {Record<string, string>} [headers]
   * @param {Blob} [piece]
   * @returns {Promise<Answer>} of status 0 where no answer came
   */
  call(method, url, headers = {}, piece = undefined) {
    const { blob, csrf } = this.order;
    const last = piece && this.offset + piece.size === blob.size;
    const always = { Accept: "application/json", "Tus-Resumable": "1.0.0", "X-CSRFToken": csrf() };
    this.request = new Watched(
      method,
      url,
      { ...always, ...headers },
      {
        silent: () => this.listener.waiting("signal"),
        moved: (loaded) => this.tell(this.offset + loaded),
        patience: (loaded) => (last && loaded >= piece.size ? CLEANING : GIVEN_UP),
      },
    );
    return this.request.send(piece);
  }

  /** @param {number} sent - bytes */
  tell(sent) {
    const percent = Math.floor((100 * sent) / Math.max(1, this.order.blob.size));
    this.percent = Math.max(0, Math.min(100, percent));
    if (!this.stopped) {
      this.listener.sending(this.percent);
    }
  }
}
