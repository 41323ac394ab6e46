// @ts-check
// "Help me frame it": the phone's camera live over the page, with an outline, and what there is to say of light and steadiness.
// The picture is looked at here, four times a second, and goes nowhere; only the photo that is taken is handed on.
import { hints, look, measure, movement } from "./quality.js";

/** @typedef {"starting" | "dark" | "bright" | "moving" | "blurred" | "good" | "taking"} State */

const LOOK_EVERY = 250; // milliseconds; `movement` in config/quality.toml is chosen for it
const STEADY_FOR = 2_000; // milliseconds at least between two changes of the hint
const TAKE_WITHIN = 5_000; // milliseconds, after which the live picture is used in place of a photo
const SPOKEN = new Set([10, 5, 3, 2, 1]);

export class Camera {
  /** @type {MediaStream | undefined} */
  stream;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  looking;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  counting;
  /** @type {import("./quality.js").Grey | undefined} the picture at the last look */
  before;
  /** @type {State} */
  state = "starting";
  changed = 0; // when the hint was, in ms
  attempt = 0; // counts openings, so that one that was closed meanwhile is told

  /**
   * @param {HTMLElement} place - the dialog, of templates/patient/camera.jinja
   * @param {(photo: Blob) => void} taken
   */
  constructor(place, taken) {
    this.place = place;
    this.taken = taken;
    this.thresholds = JSON.parse(place.dataset.thresholds ?? "");
    this.video = /** @type {HTMLVideoElement} */ (place.querySelector("video"));
    this.shutter = this.button("[data-shutter]");
    this.torch = this.button("[data-torch]");
    this.timer = /** @type {HTMLSelectElement} */ (place.querySelector("select"));
    this.count = /** @type {HTMLElement} */ (place.querySelector("[data-count]"));
    this.shutter.addEventListener("click", () => this.press());
    this.torch.addEventListener("click", () =>
      this.light(this.torch.getAttribute("aria-pressed") !== "true"),
    );
    this.button("[data-close]").addEventListener("click", () => this.close());
    place.addEventListener("keydown", (event) => this.key(event));
    this.leave = () => {
      if (document.hidden) {
        this.close();
      }
    };
    this.goAway = () => this.close();
  }

  /** @returns {boolean} whether this browser could show a camera at all */
  static isOffered() {
    return isSecureContext && Boolean(navigator.mediaDevices?.getUserMedia);
  }

  /**
   * @param {HTMLElement} opener - gets the focus back
   * @returns {Promise<"refused" | "missing" | undefined>} why there is no camera
   */
  async open(opener) {
    this.opener = opener;
    this.place.hidden = false;
    document.documentElement.classList.add("app-camera-open");
    document.addEventListener("visibilitychange", this.leave);
    addEventListener("pagehide", this.goAway);
    this.tell("starting", true);
    this.shutter.focus();
    this.attempt += 1;
    const attempt = this.attempt;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: { ideal: "environment" }, width: { ideal: 4096 }, height: { ideal: 3072 } },
      });
      if (attempt !== this.attempt || this.place.hidden) {
        stop(stream); // it was closed while the browser asked
        return undefined;
      }
      this.stream = stream;
      this.video.srcObject = stream;
      await this.video.play();
    } catch (error) {
      if (attempt !== this.attempt || this.place.hidden) {
        return undefined;
      }
      this.close();
      return error instanceof Error && error.name === "NotAllowedError" ? "refused" : "missing";
    }
    this.torch.hidden = !(/** @type {any} */ (this.track?.getCapabilities?.())?.torch);
    this.track?.addEventListener("ended", this.goAway);
    this.looking = setInterval(() => this.look(), LOOK_EVERY);
    return undefined;
  }

  /** End the stream and go back to the page. */
  close() {
    if (this.place.hidden) {
      return;
    }
    clearInterval(this.looking);
    this.stopCounting();
    this.stream?.getTracks().forEach((track) => {
      track.removeEventListener("ended", this.goAway);
    });
    stop(this.stream);
    this.stream = this.before = undefined;
    this.video.srcObject = null;
    this.torch.setAttribute("aria-pressed", "false");
    this.place.hidden = true;
    document.documentElement.classList.remove("app-camera-open");
    document.removeEventListener("visibilitychange", this.leave);
    removeEventListener("pagehide", this.goAway);
    this.opener?.focus();
  }

  /** @returns {MediaStreamTrack | undefined} */
  get track() {
    return this.stream?.getVideoTracks()[0];
  }

  /** Look at the live picture, and say what there is to say of it. */
  look() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width || this.state === "taking") {
      return;
    }
    const now = look(this.video, width, height);
    const moved = this.before ? movement(this.before, now) : 0;
    this.before = now;
    const found = hints(
      { ...measure(now, width, height), megapixels: Number.POSITIVE_INFINITY },
      this.thresholds,
    );
    const light = found.find((code) => code === "dark" || code === "bright");
    const moving = moved > this.thresholds.movement;
    this.tell(light ?? (moving ? "moving" : found.length > 0 ? "blurred" : "good"));
  }

  /**
   * @param {State | "small"} state
   * @param {boolean} [now] - however short ago the last change was
   */
  tell(state, now = false) {
    const words = this.place.dataset[state];
    const due = now || this.state === "starting" || Date.now() - this.changed >= STEADY_FOR;
    if (words === undefined || !due || (state === this.state && !now)) {
      return;
    }
    this.state = /** @type {State} */ (state);
    this.changed = Date.now();
    const line = /** @type {HTMLElement} */ (this.place.querySelector("[data-hint]"));
    line.dataset.hint = state;
    /** @type {HTMLElement} */ (line.querySelector("[data-words]")).textContent = words;
  }

  /** The shutter: now, or when the timer has run out; pressed again meanwhile, it stops the timer. */
  press() {
    if (!this.stream || this.state === "taking") {
      return;
    }
    if (this.counting) {
      this.stopCounting();
      return;
    }
    this.tick(Number(this.timer.value));
  }

  /** @param {number} seconds - that are left */
  tick(seconds) {
    if (seconds === 0) {
      this.stopCounting();
      this.take();
      return;
    }
    this.count.textContent = String(seconds);
    if (SPOKEN.has(seconds)) {
      this.count.setAttribute("aria-live", say(String(seconds)) ? "off" : "assertive"); // once is enough
    }
    this.counting = setTimeout(() => this.tick(seconds - 1), 1000);
  }

  stopCounting() {
    clearTimeout(this.counting);
    this.counting = undefined;
    this.count.textContent = "";
  }

  async take() {
    this.tell("taking", true);
    const { track, attempt } = this;
    const photo = (track && (await still(track))) || (await frame(this.video));
    if (attempt !== this.attempt || this.place.hidden) {
      return;
    }
    if (photo) {
      this.close();
      this.taken(photo);
    } else {
      this.tell("starting", true);
    }
  }

  /** @param {boolean} on */
  async light(on) {
    const wish = /** @type {any} */ ({ advanced: [{ torch: on }] });
    const done = await this.track?.applyConstraints(wish).then(
      () => true,
      () => false,
    );
    if (done) {
      this.torch.setAttribute("aria-pressed", String(on));
    }
  }

  /** @param {KeyboardEvent} event - Escape closes; Tab goes round inside */
  key(event) {
    if (event.key === "Escape") {
      event.preventDefault();
      this.close();
    }
    if (event.key !== "Tab") {
      return;
    }
    const stops = [...this.place.querySelectorAll("button, select")].filter(
      (stop) => stop.getClientRects().length > 0,
    );
    const [first, last] = [stops[0], stops[stops.length - 1]];
    const [from, to] = event.shiftKey ? [first, last] : [last, first];
    if (document.activeElement === from && to instanceof HTMLElement) {
      event.preventDefault();
      to.focus();
    }
  }

  /** @param {string} selector */
  button(selector) {
    return /** @type {HTMLButtonElement} */ (this.place.querySelector(selector));
  }
}

/** @param {MediaStream | undefined} stream */
function stop(stream) {
  stream?.getTracks().forEach((track) => {
    track.stop();
  });
}

/**
 * @param {MediaStreamTrack} track
 * @returns {Promise<Blob | undefined>} a photo at the camera's full resolution, where the browser can take one
 */
async function still(track) {
  const Capture = /** @type {any} */ (window).ImageCapture;
  if (!Capture) {
    return undefined;
  }
  /** @type {Promise<undefined>} */
  const late = new Promise((resolve) => setTimeout(resolve, TAKE_WITHIN));
  try {
    return await Promise.race([new Capture(track).takePhoto(), late]);
  } catch {
    return undefined;
  }
}

/**
 * @param {HTMLVideoElement} video
 * @returns {Promise<Blob | undefined>} the live picture as it is now, at its full size
 */
async function frame(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  const blob = await new Promise((/** @type {BlobCallback} */ resolve) =>
    canvas.toBlob(resolve, "image/jpeg", 0.95),
  );
  return blob ?? undefined;
}

/**
 * @param {string} text - for someone who cannot see the screen just now; the page shows it as well
 * @returns {boolean} whether the phone can say it aloud
 */
function say(text) {
  const voice = window.speechSynthesis;
  if (!voice?.getVoices().length) {
    return false;
  }
  const words = new SpeechSynthesisUtterance(text);
  words.lang = document.documentElement.lang;
  voice.speak(words);
  return true;
}
