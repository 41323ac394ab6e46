// How the opening page asks the server for sealed bytes: against a real server on this machine.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { fetchBytes } from "../../static/js/open/fetching.js";

let server;
let origin;
before(async () => {
  server = createServer((request, response) => {
    const status = Number(request.url.slice(1));
    response.writeHead(status, status === 303 ? { location: "/200" } : {}).end("sealed");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${server.address().port}`;
});
after(() => server.close());

test("bytes come as they are", async () => {
  assert.equal(Buffer.from(await fetchBytes(`${origin}/200`, "part", 6)).toString(), "sealed");
});

test("more than the limit is not read, nor taken", async () => {
  await assert.rejects(fetchBytes(`${origin}/200`, "part", 5), { code: "altered", part: "part" });
});

test("what kept them away is told apart: signed out, missing, the server, the connection", async () => {
  for (const status of [303, 401, 403]) {
    await assert.rejects(fetchBytes(`${origin}/${status}`, "part", 6), { code: "signed-out", part: "" });
  }
  await assert.rejects(fetchBytes(`${origin}/404`, "part", 6), { code: "missing", part: "part" });
  for (const status of [429, 500, 503]) {
    await assert.rejects(fetchBytes(`${origin}/${status}`, "part", 6), { code: "server", part: "part" });
  }
  await assert.rejects(fetchBytes("http://127.0.0.1:1/", "part", 6), { code: "connection", part: "" });
});
