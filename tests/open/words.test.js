// What the opening page says: names of files, times, sizes, and what is wrong.
import assert from "node:assert/strict";
import { test } from "node:test";
import { generateX25519Identity } from "age-encryption";
import { Fault, report } from "../../static/js/open/fault.js";
import { fingerprint, readIdentity } from "../../static/js/open/identity.js";
import { fileName, pdfName } from "../../static/js/open/names.js";
import { readJson } from "../../static/js/open/records.js";
import { about, place, removed, size, told, when } from "../../static/js/open/words.js";
import { makeKeys, requestOf, somePhotos } from "./builder.js";

test("a photo is saved under day, place, view and number, in plain letters, and never the patient's name", () => {
  const request = requestOf(somePhotos());
  const name = fileName(request, request.photos[1], 2, 3);
  assert.equal(name, "2026-11-22_left-forearm_close-up_2of3.jpg");
});

test("a PDF is saved under day, place and how many photos it holds", () => {
  const request = requestOf(somePhotos());
  assert.equal(pdfName(request, 3), "2026-11-22_left-forearm_3-photos.pdf");
  assert.equal(pdfName(request, 1), "2026-11-22_left-forearm_1-photo.pdf");
});

test("whatever a request holds, no name leads out of a folder or has an odd letter", () => {
  for (const site of ["../../etc/passwd", "Fuß & <b>", "", "\u202egpj.exe", "a".repeat(300)]) {
    const name = fileName(
      { site, side: "", submitted_at: "2026-11-22T16:05:00Z" },
      { view: "close-up" },
      1,
      1,
    );
    assert.match(name, /^2026-11-22_[a-z0-9-]{1,60}_close-up_1of1\.jpg$/);
  }
});

test("a time is told as clocks go in the UK, and a camera's own clock as it stands", () => {
  assert.equal(when("2026-07-01T16:05:00Z"), "1 July 2026, 5:05pm");
  assert.equal(when("2026-11-22T15:58:09"), "22 November 2026, 3:58pm");
  assert.equal(when("2026-11-22T12:00:00.25+01:00"), "22 November 2026, 11:00am");
  assert.equal(when("2026-11-22T00:30:00Z"), "22 November 2026, 12:30am");
  assert.equal(when("no time"), "no time");
});

test("sizes and places are told in words a person uses", () => {
  assert.equal(size(12), "1 kB");
  assert.equal(size(745_400), "745 kB");
  assert.equal(size(2_449_000), "2.4 MB");
  assert.equal(place({ site: "back-of-forearm", side: "left" }), "Left back of forearm");
  assert.equal(place({ site: "Scalp", side: "" }), "Scalp");
});

test("what was removed is told by name and count, and what the patient was told is passed on", () => {
  const [first, second, third] = requestOf(somePhotos()).photos;
  assert.match(removed(first), /^The file held nothing but the picture\./);
  assert.match(
    removed(second),
    /^Removed from the file: GPS position, thumbnail \(2\)\. The picture itself is exactly/,
  );
  assert.equal(told(second), "");
  assert.equal(told(third), "The patient was told: “This photo may be blurred.” They sent it all the same.");
  assert.match(about(first), /^3,024 × 4,032 pixels, 1 kB, the phone did not say/);
  assert.match(about(second), /taken 22 November 2026, 3:58pm\.$/);
});

test("a fault keeps its sentence on the way to the page; any other error gives nothing of itself away", () => {
  assert.deepEqual(report(new Fault("altered", "It was altered.", "x")), {
    code: "altered",
    sentence: "It was altered.",
    part: "x",
  });
  const unknown = report(new Error("secret"));
  assert.equal(unknown.code, "page");
  assert.doesNotMatch(unknown.sentence, /secret/);
});

test("an identity file is read as docs/FORMAT.md says: comments skipped, one signer, at least one identity", async () => {
  const keys = await makeKeys();
  const text = `# created: now\r\n# public key: ${keys.recipient}\r\n# signer: ${keys.signer}\r\n${keys.identity}\r\n`;
  const identity = await readIdentity(text);
  assert.deepEqual(identity, {
    secrets: [keys.identity],
    fingerprints: [keys.fingerprint],
    signer: keys.signer,
  });
  assert.equal(await fingerprint(keys.recipient), keys.fingerprint);
  await assert.rejects(readIdentity(`# signer: ${keys.signer}\n`), { code: "identity" });
  await assert.rejects(readIdentity(`# signer: ${keys.signer}\nAGE-SECRET-KEY-PQ-1NOTONE\n`), {
    code: "identity",
  });
  await assert.rejects(readIdentity(text.replace(keys.recipient, `${keys.recipient}x`)), {
    code: "identity",
  });
  const classic = `# signer: ${keys.signer}\n${await generateX25519Identity()}\n`;
  await assert.rejects(readIdentity(classic), { code: "identity" });
});

test("strict JSON is read, and a member that is there twice is refused wherever it hides", () => {
  const read = (source) => readJson(new TextEncoder().encode(source));
  assert.deepEqual(read('{ "a": [{"b": "c\\":"}, null, 1.5] }'), { a: [{ b: 'c":' }, null, 1.5] });
  for (const source of ['{"a":1,"a":1}', '{"a":[{"b":1, "\\u0062" :2}]}', "{", "", '\ufeff{"a":1}']) {
    assert.throws(() => read(source), SyntaxError);
  }
  assert.throws(() => readJson(new Uint8Array([0x22, 0xff, 0x22])), TypeError);
});
