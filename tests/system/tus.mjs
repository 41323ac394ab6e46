// A photo sent by tus-js-client, as anyone would use it: tus.mjs ENDPOINT FILE HEADERS METADATA ABORT_AFTER
// After ABORT_AFTER bytes the upload is broken off, and a new one goes on with it. Prints one line of JSON.
import { readFile } from "node:fs/promises";
import { Upload } from "tus-js-client";

const CHUNK = 512 * 1024;
const [endpoint, path, headers, metadata, abortAfter] = process.argv.slice(2);
const file = await readFile(path);
const told = { offsets: [], retried: 0, url: "", requests: [] };

/** @param {import("tus-js-client").UploadOptions} more */
function send(more) {
  return new Promise((resolve, reject) => {
    const upload = new Upload(file, {
      endpoint,
      chunkSize: CHUNK,
      headers: JSON.parse(headers),
      metadata: JSON.parse(metadata),
      retryDelays: [100, 500, 1000],
      onShouldRetry: () => {
        told.retried += 1;
        return true;
      },
      onAfterResponse: (request, response) => {
        told.requests.push(`${request.getMethod()} ${response.getStatus()}`);
      },
      onChunkComplete: async (_size, accepted) => {
        told.offsets.push(accepted);
        if (accepted >= Number(abortAfter) && !more.uploadUrl) {
          await upload.abort();
          resolve(upload.url);
        }
      },
      onSuccess: () => resolve(upload.url),
      onError: reject,
      ...more,
    });
    upload.start();
  });
}

try {
  told.url = await send({});
  if (Number(abortAfter) < file.length) {
    await send({ uploadUrl: told.url });
  }
  process.stdout.write(JSON.stringify(told));
} catch (error) {
  process.stdout.write(JSON.stringify({ ...told, error: String(error) }));
}
