// What the opening page promises: all is shown where all is as it was sent, and nothing of what is not (SECURITY 36, 37).
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import { openBundle } from "../../static/js/open/bundle.js";
import { Fault } from "../../static/js/open/fault.js";
import { Keyring } from "../../static/js/open/keyring.js";
import { called } from "../../static/js/open/manifest.js";
import { fileName } from "../../static/js/open/names.js";
import { json, makeBundle, makeKeys, PASSPHRASE, requestOf, sealIdentity, somePhotos } from "./builder.js";

let keys;
let other;
before(async () => {
  [keys, other] = await Promise.all([makeKeys(), makeKeys()]);
});

/** Open what is served, noting each address that is asked for. */
async function open(
  { order, served },
  { secret = { passphrase: PASSPHRASE }, keyring = new Keyring(), progress = () => {} } = {},
) {
  const asked = [];
  const fetchBytes = async (url, name) => {
    asked.push(url);
    if (!served.has(url)) throw new Fault("missing", `${name} is missing from the server.`, name);
    return new Uint8Array(served.get(url));
  };
  const identity = await keyring.find(order, secret, fetchBytes);
  return { ...(await openBundle(order, identity, fetchBytes, progress)), asked };
}

/** Sign the manifest anew after a change, as only the server could. */
function resign(bundle, change) {
  const manifest = change(structuredClone(bundle.manifest));
  const bytes = Buffer.from(json(manifest));
  bundle.served.set("/bundle.json", bytes);
  bundle.served.set("/bundle.sig", Buffer.from(ed25519.sign(bytes, keys.secretKey)));
}

const flip = (bytes, at) => Buffer.from(bytes.map((byte, index) => (index === at ? byte ^ 1 : byte)));
const fails = (bundle, code, options) => assert.rejects(open(bundle, options), { name: "Fault", code });
const codes = (opened) => opened.faults.map((fault) => [fault.code, fault.part]);

describe("a bundle that is as it was sent", () => {
  test("every photo comes out byte for byte, with no fault", async () => {
    const photos = somePhotos();
    const opened = await open(await makeBundle(keys, { photos }));
    assert.deepEqual(codes(opened), []);
    assert.deepEqual(
      opened.photos.map((photo) => Buffer.from(photo.bytes)),
      photos.map((photo) => photo.bytes),
    );
    assert.equal(opened.request.label, "J. Doe");
    assert.equal(opened.checked.key, keys.fingerprint);
    assert.equal(opened.checked.signer, keys.signer);
  });

  test("photos that the patient added are opened too, and saved under names that say so", async () => {
    const added = [1, 2].map((number) => ({
      view: `more-${number}`,
      title: `Extra photo ${number}`,
      bytes: Buffer.from([0xff, 0xd8, 0xff, 0xe0, number]),
    }));
    const { photos, request } = await open(await makeBundle(keys, { photos: [...somePhotos(), ...added] }));
    assert.deepEqual(
      photos.map((_, index) => fileName(request, request.photos[index], index + 1, photos.length)).slice(2),
      ["close-up-scale_3of5", "more-1_4of5", "more-2_5of5"].map(
        (name) => `2026-11-22_left-forearm_${name}.jpg`,
      ),
    );
    assert.equal(called(request.photos[4].part), "Photo 5 (more-2)");
  });

  test("only the addresses of the order are asked for, each once, and none carries the passphrase", async () => {
    const bundle = await makeBundle(keys);
    const { asked } = await open(bundle);
    assert.deepEqual(asked.toSorted(), [...bundle.served.keys()].toSorted());
  });

  test("progress is told in words from the signature to the last photo", async () => {
    const told = [];
    await open(await makeBundle(keys), { progress: (...step) => told.push(step) });
    assert.deepEqual(told, [
      ["Checking the signature"],
      ["Opening the request"],
      ["Opening photo 1 of 3", 0, 3],
      ["Opening photo 2 of 3", 1, 3],
      ["Opening photo 3 of 3", 2, 3],
    ]);
  });

  test("spaces that pasting leaves around the passphrase do not matter", async () => {
    assert.equal(
      (await open(await makeBundle(keys), { secret: { passphrase: ` ${PASSPHRASE}\n` } })).photos.length,
      3,
    );
  });

  test("a practice with several key files is opened by the one whose passphrase was typed", async () => {
    const bundle = await makeBundle(keys);
    bundle.served.set("/other.age", Buffer.from(await sealIdentity(other, { passphrase: "another one" })));
    bundle.order.identities.unshift({ fingerprint: other.fingerprint, url: "/other.age" });
    assert.equal((await open(bundle)).photos.length, 3);
  });
});

describe("a key is unlocked once", () => {
  test("the next bundle opens without the passphrase, and without the key file", async () => {
    const keyring = new Keyring();
    await open(await makeBundle(keys), { keyring });
    const next = await open(await makeBundle(keys), { keyring, secret: null });
    assert.equal(next.photos.length, 3);
    assert.ok(!next.asked.includes("/identity.age"));
  });

  test("a keyring of its own knows nothing of what another one opened", async () => {
    await open(await makeBundle(keys));
    await fails(await makeBundle(keys), "another-key", { secret: null });
  });

  test("a bundle sealed to another key of the practice asks for that one, and then both are open", async () => {
    const keyring = new Keyring();
    await open(await makeBundle(keys), { keyring });
    const old = await makeBundle({ ...other, secretKey: keys.secretKey, signer: keys.signer });
    await fails(old, "another-key", { keyring, secret: null });
    assert.equal((await open(old, { keyring })).checked.key, other.fingerprint);
    for (const bundle of [old, await makeBundle(keys)])
      assert.equal((await open(bundle, { keyring, secret: null })).photos.length, 3);
  });

  test("what a passkey has opened is a key like any other", async () => {
    const bundle = await makeBundle(keys);
    const identity = `# signer: ${keys.signer}\n${keys.identity}\n`;
    assert.equal((await open(bundle, { secret: { identity } })).photos.length, 3);
    await fails(bundle, "identity", { secret: { identity: `# signer: ${keys.signer}\nnot a key\n` } });
  });
});

describe("nothing is shown at all", () => {
  test("with a wrong passphrase", async () =>
    fails(await makeBundle(keys), "passphrase", { secret: { passphrase: "wrong" } }));

  test("with a damaged key file", async () => {
    const bundle = await makeBundle(keys);
    bundle.served.set("/identity.age", Buffer.from("-----BEGIN AGE ENCRYPTED FILE-----\nnot base64\n"));
    await fails(bundle, "identity");
  });

  test("with a key file that pins no signer", async () => {
    const bundle = await makeBundle(keys);
    bundle.served.set("/identity.age", await sealIdentity(keys, { signer: "" }));
    await fails(bundle, "signer");
  });

  test("with a key file that pins two signers", async () => {
    const bundle = await makeBundle(keys);
    bundle.served.set(
      "/identity.age",
      await sealIdentity(keys, { signer: `${keys.signer}\n# signer: ${other.signer}` }),
    );
    await fails(bundle, "signer");
  });

  test("when another server signed the bundle", async () => {
    const bundle = await makeBundle(keys);
    bundle.served.set("/identity.age", await sealIdentity(keys, { signer: other.signer }));
    await fails(bundle, "signature");
  });

  test("when a byte of the manifest or of its signature was changed", async () => {
    for (const url of ["/bundle.json", "/bundle.sig"]) {
      const bundle = await makeBundle(keys);
      bundle.served.set(url, flip(bundle.served.get(url), 20));
      await fails(bundle, "signature");
    }
  });

  test("when the bundle is of another request, practice or receipt than was asked for (replay)", async () => {
    for (const name of ["bundle", "request", "practice", "receipt"]) {
      const bundle = await makeBundle(keys);
      bundle.order[name] = "another";
      await fails(bundle, "bundle");
    }
  });

  test("when it was sealed to another key", async () => {
    const bundle = await makeBundle(keys);
    bundle.served.set("/identity.age", await sealIdentity({ ...other, signer: keys.signer }));
    await fails(bundle, "recipient");
  });

  test("when the sealed request speaks of another bundle, request, practice or receipt", async () => {
    for (const change of [
      { bundle: "another" },
      { request: "another" },
      { receipt: "ZZZ-ZZZ" },
      { practice: { ods: "Y88888", name: "Elm Street Surgery" } },
    ]) {
      const whole = await makeBundle(keys);
      const mixed = await makeBundle(keys, { request: requestOf(somePhotos(), change) });
      resign(mixed, (manifest) => ({ ...manifest, ...pick(whole.manifest) }));
      await fails({ ...mixed, order: whole.order }, "request");
    }
  });

  test("when the sealed request names fewer photos than were sealed, or others", async () => {
    const photos = somePhotos();
    const { photos: entries } = requestOf(photos);
    await fails(
      await makeBundle(keys, { photos, request: requestOf(photos, { photos: entries.slice(1) }) }),
      "count",
    );
    await fails(
      await makeBundle(keys, { photos, request: requestOf(photos, { photos: entries.toReversed() }) }),
      "count",
    );
  });

  test("when the sealed request is not what the format says", async () => {
    const photos = somePhotos();
    for (const change of [
      { version: 2 },
      { label: { html: "<b>" } },
      { photos: null },
      { practice: null },
      { extra: 1 },
    ]) {
      await fails(
        await makeBundle(keys, {
          photos,
          request: { ...requestOf(photos), ...change },
          manifest: pick((await makeBundle(keys)).manifest),
        }),
        "request",
      );
    }
  });

  test("when the manifest is of a newer version or breaks the format", async () => {
    const bundle = await makeBundle(keys);
    for (const [code, change] of [
      ["version", { version: 2 }],
      ["manifest", { format: "another" }],
      ["manifest", { parts: bundle.manifest.parts.toReversed() }],
      ["manifest", { parts: bundle.manifest.parts.map((part) => ({ ...part, sha256: "00" })) }],
      ["manifest", { parts: [bundle.manifest.parts[0]] }],
      ["manifest", { recipients: null }],
      ["manifest", { recipients: [] }],
      ["manifest", { label: "J. Doe" }],
    ]) {
      resign(bundle, (manifest) => ({ ...manifest, ...change }));
      await fails(bundle, code);
    }
  });

  test("when the manifest is spelt otherwise than in its canonical form, even under a right signature", async () => {
    const bundle = await makeBundle(keys);
    const source = Buffer.from(bundle.served.get("/bundle.json")).toString();
    for (const spelling of [
      `${source}\n`,
      source.replace('"version":1', '"version":1.0'),
      `{"version":1,${source.slice(1)}`,
    ]) {
      bundle.served.set("/bundle.json", Buffer.from(spelling));
      bundle.served.set("/bundle.sig", Buffer.from(ed25519.sign(Buffer.from(spelling), keys.secretKey)));
      await fails(bundle, "manifest");
    }
  });

  test("when the sealed request was altered or is missing", async () => {
    const bundle = await makeBundle(keys);
    const sealed = bundle.served.get("/part/request.json.age");
    bundle.served.set("/part/request.json.age", flip(sealed, sealed.length - 1));
    await fails(bundle, "altered");
    bundle.served.delete("/part/request.json.age");
    await fails(bundle, "missing");
  });
});

describe("a photo that is not as it was sent is named and left out, and the others are shown", () => {
  const part = "photos/02-close-up.jpg.age";

  test("one byte was flipped", async () => {
    const bundle = await makeBundle(keys);
    bundle.served.set(`/part/${part}`, flip(bundle.served.get(`/part/${part}`), 1000));
    const opened = await open(bundle);
    assert.deepEqual(codes(opened), [["altered", part]]);
    assert.deepEqual(
      opened.photos.map((photo) => photo.entry.view),
      ["context", "close-up-scale"],
    );
  });

  test("it was cut short, or grew", async () => {
    for (const change of [
      (bytes) => bytes.subarray(0, -1),
      (bytes) => Buffer.concat([bytes, Buffer.from([0])]),
    ]) {
      const bundle = await makeBundle(keys);
      bundle.served.set(`/part/${part}`, change(bundle.served.get(`/part/${part}`)));
      assert.deepEqual(codes(await open(bundle)), [["altered", part]]);
    }
  });

  test("two photos were swapped", async () => {
    const bundle = await makeBundle(keys);
    const [one, two] = ["/part/photos/01-context.jpg.age", `/part/${part}`];
    const first = bundle.served.get(one);
    bundle.served.set(one, bundle.served.get(two)).set(two, first);
    assert.deepEqual(codes(await open(bundle)), [
      ["altered", "photos/01-context.jpg.age"],
      ["altered", part],
    ]);
  });

  test("it is gone from the server, or from the server's list", async () => {
    const gone = await makeBundle(keys);
    gone.served.delete(`/part/${part}`);
    assert.deepEqual(codes(await open(gone)), [["missing", part]]);
    const unlisted = await makeBundle(keys);
    unlisted.order.parts = unlisted.order.parts.filter((one) => one.name !== part);
    const opened = await open(unlisted);
    assert.deepEqual(codes(opened), [["missing", part]]);
    assert.equal(opened.photos.length, 2);
  });

  test("a part was added that nobody signed: it is not even fetched", async () => {
    const bundle = await makeBundle(keys);
    bundle.order.parts.push({ name: "photos/04-extra.jpg.age", url: "/part/extra" });
    const opened = await open(bundle);
    assert.deepEqual(codes(opened), [["added", "photos/04-extra.jpg.age"]]);
    assert.equal(opened.photos.length, 3);
    assert.ok(!opened.asked.includes("/part/extra"));
  });

  test("even the signing server cannot put another photo under a sealed request", async () => {
    const bundle = await makeBundle(keys);
    const photos = somePhotos();
    photos[1].bytes = Buffer.concat([photos[1].bytes, Buffer.from("x")]);
    const forged = await makeBundle(keys, { photos });
    bundle.served.set(`/part/${part}`, forged.served.get(`/part/${part}`));
    resign(bundle, (manifest) => ({
      ...manifest,
      parts: manifest.parts.map((one) => (one.name === part ? forged.manifest.parts[2] : one)),
    }));
    const opened = await open(bundle);
    assert.deepEqual(codes(opened), [["swapped", part]]);
    assert.equal(opened.photos.length, 2);
  });

  test("it is not sealed to the practice's key", async () => {
    const bundle = await makeBundle(keys);
    const foreign = await makeBundle(other);
    bundle.served.set(`/part/${part}`, foreign.served.get(`/part/${part}`));
    resign(bundle, (manifest) => ({
      ...manifest,
      parts: manifest.parts.map((one) => (one.name === part ? foreign.manifest.parts[2] : one)),
    }));
    assert.deepEqual(codes(await open(bundle)), [["unreadable", part]]);
  });

  test("it is not a JPEG, whatever its hash says", async () => {
    const photos = somePhotos();
    photos[1].bytes = Buffer.from("<svg onload='alert(1)'/>");
    assert.deepEqual(codes(await open(await makeBundle(keys, { photos }))), [["kind", part]]);
  });
});

/** What the server binds in a manifest. */
function pick({ bundle, request, practice, receipt }) {
  return { bundle, request, practice, receipt };
}
