// Makes bundles as docs/FORMAT.md lays them down, whole or spoilt, for the tests of the opening page.
import { createHash } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import { armor, Encrypter, generateHybridIdentity, identityToRecipient } from "age-encryption";

export const PASSPHRASE = "horse battery staple";

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const sorted = (_, value) =>
  value && typeof value === "object" && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort())
    : value;
export const json = (value) => new TextEncoder().encode(JSON.stringify(value, sorted));
const groups = (text) => sha256(Buffer.from(text)).slice(0, 32).match(/.{4}/g).join("-");

/** A practice's identity and the server's signer, which its identity file pins. */
export async function makeKeys() {
  const identity = await generateHybridIdentity();
  const recipient = await identityToRecipient(identity);
  const { secretKey, publicKey } = ed25519.keygen();
  const signer = `ed25519:${Buffer.from(publicKey).toString("base64")}`;
  return { identity, recipient, fingerprint: groups(recipient), secretKey, signer };
}

/** The identity file under its passphrase, armored. The work factor is low, because the tests open many. */
export async function sealIdentity(keys, { signer = keys.signer, passphrase = PASSPHRASE } = {}) {
  const pinned = signer ? `# signer: ${signer}\n` : "";
  const text = `# created: 2026-11-22T16:00:00Z\n# public key: ${keys.recipient}\n${pinned}${keys.identity}\n`;
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  encrypter.setScryptWorkFactor(4);
  return Buffer.from(armor.encode(await encrypter.encrypt(text)));
}

async function seal(recipient, bytes) {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  return Buffer.from(await encrypter.encrypt(bytes));
}

/** Three small files that begin as a JPEG does. */
export function somePhotos() {
  return ["context", "close-up", "close-up-scale"].map((view, index) => ({
    view,
    title: ["Where it is", "Close-up", "Close-up with a ruler"][index],
    bytes: Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(400 + index, index)]),
  }));
}

export function requestOf(photos, changes = {}) {
  return {
    version: 1,
    bundle: "0d5f1c2b3a4948576665748392a1b0cf",
    request: "11111111222233334444555566667777",
    practice: { ods: "X99999", name: "Elm Street Surgery" },
    receipt: "KX7-P3Q",
    asked_by: "Sam Reed",
    asked_at: "2026-11-20T10:00:00Z",
    label: "J. Doe",
    reference: "AG-0042",
    nhs_number: "9434765919",
    site: "forearm",
    side: "left",
    snomed: "41550009",
    protocol: "lesion",
    answers: {},
    note: "It itches <b>at night</b>.",
    consent: { version: "2026-11", at: "2026-11-22T15:50:00Z" },
    submitted_at: "2026-11-22T16:05:00Z",
    photos: photos.map((photo, index) => ({
      part: `photos/0${index + 1}-${photo.view}.jpg.age`,
      view: photo.view,
      title: photo.title,
      taken_at: index ? "2026-11-22T15:58:00" : null,
      width: 3024,
      height: 4032,
      size: photo.bytes.length,
      sha256: sha256(photo.bytes),
      removed: index
        ? [
            { name: "GPS position", count: 1 },
            { name: "thumbnail", count: 2 },
          ]
        : [],
      lossless: index === 1,
      colour: "srgb",
      quality: { blur: 0.4 },
      hints: index === 2 ? ["blurred"] : [],
      sent_anyway: index === 2,
    })),
    ...changes,
  };
}

/** Every byte the server would serve, by address, and the order that the page gives to the worker. */
export async function makeBundle(
  keys,
  { photos = somePhotos(), request = requestOf(photos), manifest = {} } = {},
) {
  const sealed = new Map([["request.json.age", await seal(keys.recipient, json(request))]]);
  for (const [index, photo] of photos.entries()) {
    sealed.set(`photos/0${index + 1}-${photo.view}.jpg.age`, await seal(keys.recipient, photo.bytes));
  }
  const bundle = json({
    format: "capture-bundle",
    version: 1,
    bundle: request.bundle,
    request: request.request,
    receipt: request.receipt,
    practice: request.practice,
    recipients: [keys.fingerprint],
    created: "2026-11-22T16:05:00Z",
    parts: [...sealed].map(([name, bytes]) => ({ name, size: bytes.length, sha256: sha256(bytes) })),
    ...manifest,
  });
  const served = new Map([...sealed].map(([name, bytes]) => [`/part/${name}`, bytes]));
  served.set("/bundle.json", Buffer.from(bundle));
  served.set("/bundle.sig", Buffer.from(ed25519.sign(bundle, keys.secretKey)));
  served.set("/identity.age", await sealIdentity(keys));
  const listed = JSON.parse(new TextDecoder().decode(bundle));
  const order = {
    bundle: listed.bundle,
    request: listed.request,
    practice: listed.practice.ods,
    receipt: listed.receipt,
    manifestUrl: "/bundle.json",
    signatureUrl: "/bundle.sig",
    parts: [...sealed.keys()].map((name) => ({ name, url: `/part/${name}` })),
    identities: [{ fingerprint: keys.fingerprint, url: "/identity.age" }],
  };
  return { order, served, request, manifest: listed };
}
