// The FHIR Bundle that the page saves: valid R4, and to the byte the one that the server's code makes of the same sealed bundle.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { openBundle } from "../../static/js/open/bundle.js";
import { writeFhir } from "../../static/js/open/fhir.js";
import { Keyring } from "../../static/js/open/keyring.js";
import { fileName } from "../../static/js/open/names.js";
import { requestOf, somePhotos } from "./builder.js";

const { Fhir } = createRequire(import.meta.url)("fhir");
const folder = process.env.CAPTURE_BUNDLE;
const LOOSE = ["DocumentReference.category[0]", "DocumentReference.context.event[0]"]; // R4 only gives examples of codes for these

/** The photos as the page shows them. */
const albumOf = (request, photos) =>
  photos.map(({ entry, bytes }, index) => ({
    entry,
    number: index + 1,
    total: request.photos.length,
    name: fileName(request, entry, index + 1, request.photos.length),
    blob: new Blob([bytes]),
  }));

/** What the R4 definitions say of a resource: whether it is valid, and which messages are more than information. */
function validate(resource) {
  const { valid, messages } = new Fhir().validate(resource, { errorOnUnexpected: true });
  return { valid, told: messages.filter(({ severity }) => severity !== "info") };
}

async function someBundle(changes = {}) {
  const photos = somePhotos();
  const request = requestOf(photos, changes);
  const album = albumOf(
    request,
    request.photos.map((entry, index) => ({ entry, bytes: photos[index].bytes })),
  );
  return JSON.parse(await (await writeFhir(request, album)).text());
}

test("page and server make the same FHIR file of the same sealed bundle, to the byte", {
  skip: !folder,
}, async () => {
  const read = (name) => new Uint8Array(readFileSync(join(folder, name)));
  const { order, passphrase } = JSON.parse(new TextDecoder().decode(read("expected.json")));
  const fetchBytes = async (url) => read(url);
  const identity = await new Keyring().find(order, { passphrase }, fetchBytes);
  const opened = await openBundle(order, identity, fetchBytes, () => {});
  const file = await writeFhir(opened.request, albumOf(opened.request, opened.photos));
  const expected = read("fhir.json");
  assert.equal(file.type, "application/fhir+json");
  assert.ok(expected.length > 10_000);
  assert.equal(await file.text(), new TextDecoder().decode(expected));
  assert.equal(file.size, expected.length);
});

test("the file is a valid Bundle of R4, with a reference, with a UBRN, and with next to nothing known", async () => {
  const bare = { label: "", nhs_number: "", reference: "", site: "", side: "", snomed: null };
  for (const changes of [{}, { reference: "123456789012" }, bare]) {
    const { valid, told } = validate(await someBundle(changes));
    assert.ok(valid, JSON.stringify(told));
    const strict = told.filter(
      ({ location, severity }) => severity !== "warning" || !LOOSE.includes(location),
    );
    assert.deepEqual(strict, []);
  }
});

test("the validator refuses what is not R4: each of these breaks a file that was valid before", async () => {
  const broken = {
    "no status": ([document]) => delete document.resource.status,
    "a status that there is not": ([document]) => Object.assign(document.resource, { status: "done" }),
    "no content": ([document]) => delete document.resource.content,
    "an element that there is not": ([document]) => Object.assign(document.resource, { bodySite: {} }),
    "one category instead of a list": ([document]) => Object.assign(document.resource, { category: {} }),
    "a size in words": ([document]) =>
      Object.assign(document.resource.content[0].attachment, { size: "large" }),
    "a picture of no type": ([, binary]) => delete binary.resource.contentType,
    "a method that there is not": ([, binary]) => Object.assign(binary.request, { method: "PUSH" }),
  };
  for (const [what, spoil] of Object.entries(broken)) {
    const bundle = await someBundle();
    spoil(bundle.entry);
    assert.equal(validate(bundle).valid, false, what);
  }
});

test("a photo as large as any is written whole, and the page answers between two of them", async () => {
  const bytes = Buffer.alloc(5_000_000, "photo");
  const photos = [{ ...somePhotos()[0], bytes }];
  const request = requestOf(photos);
  const file = await writeFhir(request, albumOf(request, [{ entry: request.photos[0], bytes }]));
  const [document, binary] = JSON.parse(await file.text()).entry;
  assert.equal(document.resource.content[0].attachment.size, bytes.length);
  assert.ok(Buffer.from(binary.resource.data, "base64").equals(bytes));
});
