// @ts-check
// Makes photos fit, in a thread of its own: it gets a photo and a limit, and gives a JPEG. It never has a key.
import { fit } from "./open/fit.js";
import { decode } from "./open/picture.js";

self.onmessage = async ({ data: { photo, under } }) => {
  try {
    self.postMessage({ fitted: await fit(await decode(photo), under) });
  } catch {
    self.postMessage({});
  }
};
