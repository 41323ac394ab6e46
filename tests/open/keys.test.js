// The pages about keys: what is made in the page, printed, typed back and tried.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { armor, Encrypter } from "age-encryption";
import { identityFile, lock, makeKey } from "../../static/js/keys/identity_file.js";
import { answerOf } from "../../static/js/keys/proof.js";
import { qrModules } from "../../static/js/keys/qr.js";
import { readSheet, sheetWords } from "../../static/js/keys/sheet.js";
import { wordsOf } from "../../static/js/keys/words.js";
import { rate, suggest } from "../../static/js/keys-strength.js";
import { openIdentity, readIdentity } from "../../static/js/open/identity.js";
import { makeKeys } from "./builder.js";

const PASSPHRASE = "gravel tulip wagon ninety biscuit oboe";

test("SECURITY 34: a key file made here opens with its passphrase, names its key, and pins the server's signing key", async () => {
  const [key, { signer }] = await Promise.all([makeKey(), makeKeys()]);
  const text = identityFile(key, signer, new Date("2026-11-22T10:15:30.500Z"));
  assert.match(text, /^# created: 2026-11-22T10:15:30Z\n# public key: age1pq1/);
  const file = new TextEncoder().encode(await lock(text, PASSPHRASE, 4));
  const opened = await openIdentity(file, `  ${PASSPHRASE}\n`);
  assert.deepEqual(opened, { secrets: [key.secret], fingerprints: [key.fingerprint], signer });
  assert.equal(await openIdentity(file, "something else"), null);
});

test("SECURITY 38: a new key file carries the keys before it, so that one passphrase opens what is older too", async () => {
  const [old, key, { signer }] = await Promise.all([makeKey(), makeKey(), makeKeys()]);
  const opened = await readIdentity(identityFile(key, signer, new Date(), [old.secret]));
  assert.deepEqual(opened.fingerprints, [key.fingerprint, old.fingerprint]);
});

test("the sheet's words are read back however they were typed, and each kind of mistake is named", async () => {
  const key = await makeKey();
  const words = sheetWords(key.secret);
  assert.equal(words.length, 19);
  for (const typed of [
    key.secret,
    ` ${key.secret.toLowerCase()}\n`,
    words.join(" "),
    words.join("-").toUpperCase(),
    words.map((word, place) => `${place + 1}. ${word}\r\n`).join(""),
  ]) {
    assert.deepEqual(await readSheet(typed), { secret: key.secret, fingerprint: key.fingerprint });
  }
  const other = words[5] === "babab" ? "zuzuz" : "babab";
  const wrong = [
    ["", /Type the words/],
    [words.slice(1).join(" "), /^1 word is missing/],
    [`${words.join(" ")} babab babab`, /^2 words are too many/],
    [`${words[0]} apple ${words.slice(2).join(" ")}`, /^Word 2 is not as it is/],
    [words.with(5, other).join(" "), /Compare each one/],
    [`${key.secret.slice(0, -1)}B`, /Compare each one/],
  ];
  for (const [typed, sentence] of wrong)
    await assert.rejects(readSheet(typed), { name: "Fault", message: sentence });
});

test("SECURITY 34: a test is answered by the key that it was sealed to, and by no other", async () => {
  const [key, other] = await Promise.all([makeKey(), makeKey()]);
  const encrypter = new Encrypter();
  encrypter.addRecipient(key.recipient);
  const sealed = Buffer.from(await encrypter.encrypt("ANSWER")).toString("base64");
  const tests = [{ kind: "staff", fingerprint: key.fingerprint, sealed }];
  const held = { secrets: [key.secret], fingerprints: [key.fingerprint] };
  assert.equal(await answerOf(tests, key.fingerprint, held), "ANSWER");
  await assert.rejects(answerOf(tests, other.fingerprint, held), { code: "key" });
  await assert.rejects(answerOf([], key.fingerprint, held), { code: "test" });
  const pretender = { secrets: [other.secret], fingerprints: [key.fingerprint] };
  await assert.rejects(answerOf(tests, key.fingerprint, pretender), { code: "test" });
});

test("a passphrase is rated by how hard it is to guess, not by rules, and six words by chance are very hard", () => {
  for (const weak of [
    "",
    "password1234",
    "Pa$$w0rd!2026",
    "elm surgery reception",
    "aaaaaaaaaaaaaaaaaaaaaaaa",
    "qwertyuiopasdfgh",
  ]) {
    assert.equal(rate(weak, ["Elm Surgery", "Elm", "Surgery", "reception"]).strong, false, weak);
  }
  assert.deepEqual(rate(PASSPHRASE, []), { strong: true, words: "Very hard to guess." });
  const suggested = new Set(Array.from({ length: 20 }, suggest));
  assert.equal(suggested.size, 20);
  for (const words of suggested) assert.ok(rate(words, []).strong, words);
});

test("fingerprints become words, one for each group, as the server says them", () => {
  assert.equal(wordsOf("3f54-dcc1"), "gutih tugad"); // examples of arXiv:0901.4016
  assert.equal(wordsOf("7f00-0001"), "lusab babad");
});

test("SECURITY 34: what is made in the page opens in Python, and the QR code is the one that another writer draws", async () => {
  const [key, { signer }] = await Promise.all([makeKey(), makeKeys()]);
  const file = await lock(identityFile(key, signer, new Date()), PASSPHRASE, 10);
  assert.equal(armor.decode(file).length > 200, true);
  const code = `
import json, sys, segno
from capture.domain.fingerprints import words_of
from capture.sealing.age import open_with_passphrase
from capture.sealing.keys import parse_identity_file
given = json.load(sys.stdin)
read = parse_identity_file(open_with_passphrase(given["file"].encode(), given["passphrase"]).decode())
secret = read.identities[0].to_text()
code = segno.make(secret, version=4, error="m", mode="alphanumeric", boost_error=False, mask=0)
print(json.dumps({"secret": secret, "signer": str(read.signer), "words": words_of(read.identities[0].recipient.fingerprint),
  "code": [[bool(module) for module in row] for row in code.matrix]}))`;
  const python = process.env.CAPTURE_PYTHON ?? "python3";
  const input = JSON.stringify({ file, passphrase: PASSPHRASE });
  const read = JSON.parse(execFileSync(python, ["-c", code], { input, encoding: "utf8" }));
  assert.equal(read.secret, key.secret);
  assert.equal(read.signer, signer);
  assert.equal(read.words, wordsOf(key.fingerprint));
  assert.deepEqual(qrModules(key.secret), read.code);
});

test("the QR code takes what fits it, and nothing else", () => {
  assert.throws(() => qrModules("lower case"), RangeError);
  assert.throws(() => qrModules("A".repeat(91)), RangeError);
  assert.equal(qrModules("A1").length, 33);
});
