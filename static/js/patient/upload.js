// @ts-check
// One photo on its way: sent with progress, tried again until it has arrived or been refused.

/**
 * The server's answer to a photo that has arrived.
 * @typedef {{ id: string, message: string, hints: { code: string, sentence: string }[], next: string }} Arrival
 */

/**
 * What the page is told. `sentence` is the server's own, or empty where it gave none.
 * @typedef {object} Listener
 * @property {(percent: number) => void} sending - 100 when every byte has left and the server is at work
 * @property {(offline: boolean) => void} waiting - about to try again
 * @property {(arrival: Arrival) => void} arrived
 * @property {(sentence: string, status: number) => void} refused
 */

const STALL = 60_000; // milliseconds with no byte moving, after which a try is given up
const LONGEST_WAIT = 30; // seconds, of our own choice
const PATIENCE = 120; // seconds, of the server's
const AGAIN = new Set([0, 408, 429, 500, 502, 503, 504, 507]);
const SERVER_TRIES = 8; // answers of these kinds in a row; a lost connection is tried for ever

/**
 * Start sending. The body carries the photo's id, so that a try whose answer was lost is not counted twice.
 * @param {string} url
 * @param {FormData} body
 * @param {Listener} listener
 * @returns {() => void} stops it for good
 */
export function upload(url, body, listener) {
  let stopped = false;
  let tries = 0;
  let answers = 0;
  /** @type {XMLHttpRequest | undefined} */
  let request;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  function send() {
    clearTimeout(timer);
    removeEventListener("online", send);
    const current = new XMLHttpRequest();
    request = current;
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => current.abort(), STALL);
    };
    current.open("POST", url);
    current.setRequestHeader("Accept", "application/json");
    current.upload.addEventListener("progress", (event) => {
      watch();
      listener.sending(event.lengthComputable ? Math.floor((100 * event.loaded) / event.total) : 0);
    });
    current.addEventListener("loadend", () => {
      clearTimeout(timer);
      if (!stopped) {
        settle(current);
      }
    });
    watch();
    current.send(body);
  }

  /** @param {XMLHttpRequest} done */
  function settle(done) {
    const answer = parse(done.responseText);
    const asked = Number(done.getResponseHeader("Retry-After"));
    const spent = done.status === 429 && !asked; // a quota, which no waiting gives back
    answers = done.status ? answers + 1 : 0;
    if (done.status === 201 && answer?.next) {
      listener.arrived(answer);
    } else if (AGAIN.has(done.status) && answers < SERVER_TRIES && asked <= PATIENCE && !spent) {
      wait(asked || 0, done.status === 0);
    } else {
      listener.refused(answer?.error?.sentence ?? "", done.status);
    }
  }

  /**
   * @param {number} asked - seconds the server wants
   * @param {boolean} offline
   */
  function wait(asked, offline) {
    tries += 1;
    const seconds = Math.max(asked, Math.min(LONGEST_WAIT, 2 ** (tries - 1)));
    listener.waiting(offline);
    timer = setTimeout(send, 1000 * (seconds + Math.random()));
    if (offline) {
      addEventListener("online", send);
    }
  }

  send();
  return () => {
    stopped = true;
    clearTimeout(timer);
    removeEventListener("online", send);
    request?.abort();
  };
}

/**
 * @param {string} text
 * @returns {any} undefined where it is not JSON
 */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
