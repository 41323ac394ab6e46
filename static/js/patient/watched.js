// @ts-check
// One request, watched: that no byte moves is told, and after a while the request is given up.

/**
 * `status` is 0 where no answer came. `offset` is Upload-Offset, `wait` Retry-After in seconds or 0, `body` what JSON there was.
 * @typedef {{ status: number, offset: number | undefined, wait: number, body: any }} Answer
 */

/**
 * @typedef {object} Watch
 * @property {() => void} silent - no byte has moved for a while
 * @property {(loaded: number) => void} moved - so many bytes of the body have left
 * @property {(loaded: number) => number} patience - after how many milliseconds without a byte it is given up
 */

const QUIET = 2_200; // milliseconds without a byte moving, after which it is told

export class Watched {
  quiet = false;
  request = new XMLHttpRequest();

  /**
   * @param {string} method
   * @param {string} url
   * @param {Record<string, string>} headers
   * @param {Watch} watch
   */
  constructor(method, url, headers, watch) {
    this.watch = watch;
    this.request.open(method, url);
    for (const [name, value] of Object.entries(headers)) {
      this.request.setRequestHeader(name, value);
    }
  }

  /**
   * @param {Blob} [body]
   * @returns {Promise<Answer>} when it has ended, however it did
   */
  send(body) {
    /** @type {ReturnType<typeof setTimeout>[]} */
    let timers = [];
    const start = (loaded = 0) => {
      timers.forEach(clearTimeout);
      this.quiet = false;
      timers = [
        setTimeout(() => {
          this.quiet = true;
          this.watch.silent();
        }, QUIET),
        setTimeout(() => this.request.abort(), this.watch.patience(loaded)),
      ];
    };
    this.request.upload.addEventListener("progress", ({ loaded }) => {
      start(loaded);
      this.watch.moved(loaded);
    });
    start();
    return new Promise((resolve) => {
      this.request.addEventListener("loadend", () => {
        timers.forEach(clearTimeout);
        this.quiet = false;
        resolve(read(this.request));
      });
      this.request.send(body);
    });
  }

  abort() {
    this.request.abort();
  }
}

/**
 * @param {XMLHttpRequest} request - that has ended
 * @returns {Answer}
 */
function read(request) {
  const offset = request.getResponseHeader("Upload-Offset");
  let body;
  try {
    body = JSON.parse(request.responseText);
  } catch {
    // an answer without a body, or not for us
  }
  return {
    status: request.status,
    offset: offset === null || !/^\d+$/.test(offset) ? undefined : Number(offset),
    wait: Number(request.getResponseHeader("Retry-After")) || 0,
    body,
  };
}
