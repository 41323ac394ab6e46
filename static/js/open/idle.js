// @ts-check

const ACTIVITY = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart", "scroll"];

/**
 * Call `lock` after `limit` of no activity. The clock is read rather than trusted to a timer, because a
 * computer that sleeps stops its timers. `warn` is told true when less than `notice` is left, and false when the person is back.
 *
 * @param {{limit: number, notice: number, warn: (soon: boolean) => void, lock: () => void}} rule in milliseconds
 * @returns {() => void} stops watching
 */
export function lockWhenIdle({ limit, notice, warn, lock }) {
  let last = Date.now();
  let warned = false;
  /** @param {boolean} soon */
  const tell = (soon) => {
    if (soon !== warned) warn(soon);
    warned = soon;
  };
  const look = () => {
    const idle = Date.now() - last;
    if (idle >= limit) lock();
    else tell(idle >= limit - notice);
  };
  const active = () => {
    look();
    last = Date.now();
    tell(false);
  };
  const timer = setInterval(look, Math.min(5000, notice));
  for (const kind of ACTIVITY) addEventListener(kind, active, { passive: true, capture: true });
  document.addEventListener("visibilitychange", look);
  return () => {
    clearInterval(timer);
    for (const kind of ACTIVITY) removeEventListener(kind, active, { capture: true });
    document.removeEventListener("visibilitychange", look);
    tell(false);
  };
}
