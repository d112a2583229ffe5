/** The client before the service itself. */

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { after, before, test } from "node:test";

import { Client, InvalidParameter, SenetClientError, UnsupportedImageFormat, type Result } from "senet-client";

const ROOT = new URL("../../../", import.meta.url);
const EXAMPLES = new URL("app/transport/http/demo/static/examples/", ROOT);

let service: ChildProcess;
let client: Client;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

before(async () => {
  const port = String(await freePort());
  const options = ["--precision", "fp32", "--inference-threads", "1", "--log-level", "warning"];
  service = spawn(".venv/bin/python", ["-m", "app", "--port", port, ...options], { cwd: ROOT, stdio: "inherit" });
  client = new Client({
    baseUrl: `http://127.0.0.1:${port}`,
    retries: { attempts: 1000, unreachable: true, longestPause: 1 },
    imagesPerRequest: 3,
  });
  await client.models({ timeout: 120 }); // answers once the model is loaded
});

after(async () => {
  const ended = new Promise((resolve) => service.on("exit", resolve));
  service.kill("SIGTERM");
  await ended;
});

test("one image", async () => {
  const [model] = await client.models();
  const answer = await client.classify(await readFile(new URL("church.jpg", EXAMPLES)), { topK: 3, include: ["cam", "excitations"] });
  assert.equal(answer.predictions[0]?.label, "church");
  assert.equal(answer.predictions.length, 3);
  assert.equal(answer.predictions[0]?.cam?.length, 5);
  assert.equal(answer.excitations?.["layer4.1"]?.length, 256);
  assert.equal(answer.model.digest, model?.digest);
  assert.deepEqual(answer.crop, [58.59, 0, 419.15, 360]);
  assert.ok((answer.timing["inference"] ?? 0) > 0);
  assert.ok(await client.ready());
});

/** A bitmap of 8 x 8 black pixels. */
function blackPicture(): Uint8Array<ArrayBuffer> {
  const picture = new Uint8Array(54 + 8 * 24);
  picture.set(new TextEncoder().encode("BM"));
  const head = new DataView(picture.buffer);
  const fields: [number, number][] = [[2, picture.length], [10, 54], [14, 40], [18, 8], [22, 8], [26, 1 | (24 << 16)]];
  fields.forEach(([at, value]) => head.setUint32(at, value, true));
  return picture;
}

test("a prediction set, and whether the image is rejected", async () => {
  const answer = await client.classify(await readFile(new URL("church.jpg", EXAMPLES)), { coverage: 0.99 });
  assert.equal(answer.predictionSet?.[0]?.label, "church");
  assert.equal(answer.rejected, answer.reason !== undefined);
  const black = await client.classify(blackPicture());
  assert.equal(black.predictionSet, undefined);
  assert.equal(black.rejected, true);
  assert.equal(black.reason, "unlike the training photos");
});

test("many images come back in order, each with its own error", async () => {
  const names = ["church", "golf-ball", "parachute", "gas-pump"];
  const photos = await Promise.all(names.map((name) => readFile(new URL(`${name}.jpg`, EXAMPLES))));
  const images: Uint8Array<ArrayBuffer>[] = [...photos.slice(0, 2), new Uint8Array(), ...photos.slice(2), new TextEncoder().encode("text")];
  const results: Result[] = [];
  for await (const result of client.classifyMany(images, { concurrency: 2 })) results.push(result);
  const told = results.map((result) => (result instanceof SenetClientError ? result.code : result.predictions[0]?.label));
  assert.deepEqual(told, ["church", "golf ball", "unreadable_image", "parachute", "gas pump", "unsupported_image_format"]);
});

test("a map is a picture", async () => {
  const photo = await readFile(new URL("church.jpg", EXAMPLES));
  const picture = new Uint8Array(await (await client.explain(photo, { classIndex: 4, opacity: 0.5 })).arrayBuffer());
  assert.deepEqual([...picture.slice(1, 4)], [...new TextEncoder().encode("PNG")]);
  await assert.rejects(client.explain(photo, { classIndex: 10 }), InvalidParameter);
  await assert.rejects(client.explain(new TextEncoder().encode("text")), UnsupportedImageFormat);
});
