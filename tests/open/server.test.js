// A bundle that the server's own code made, given in the folder CAPTURE_BUNDLE by test_open_js.py, opens here just the same.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openBundle } from "../../static/js/open/bundle.js";
import { Keyring } from "../../static/js/open/keyring.js";
import { fileName } from "../../static/js/open/names.js";

const folder = process.env.CAPTURE_BUNDLE;

test("what the server sealed, the page opens: bytes, names and fingerprints", { skip: !folder }, async () => {
  const read = (name) => new Uint8Array(readFileSync(join(folder, name)));
  const expected = JSON.parse(new TextDecoder().decode(read("expected.json")));
  const fetchBytes = async (url) => read(url);
  const opened = await openBundle(
    expected.order,
    await new Keyring().find(expected.order, { passphrase: expected.passphrase }, fetchBytes),
    fetchBytes,
    () => {},
  );
  assert.deepEqual(opened.faults, []);
  assert.equal(opened.checked.key, expected.fingerprint);
  assert.equal(opened.checked.signer, expected.signer);
  assert.equal(opened.request.label, expected.label);
  assert.deepEqual(
    opened.photos.map(({ bytes }) => Buffer.from(bytes).toString("base64")),
    expected.photos,
  );
  assert.deepEqual(
    opened.photos.map(({ entry }, index) => fileName(opened.request, entry, index + 1, opened.photos.length)),
    expected.names,
  );
});
