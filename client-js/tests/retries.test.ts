/** When a call is tried again, and when it is given up: the rules of the Python client. */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  AnswerOfAnother,
  Client,
  ConnectionFailed,
  Forbidden,
  InvalidArgument,
  InvalidImage,
  LoadConflict,
  LoadRefused,
  Overloaded,
  ServiceError,
  TimedOut,
  UnexpectedAnswer,
  UnreadableImage,
  type ClientOptions,
  type Retry,
} from "senet-client";

type Answer = (request: { headers: Headers; url: string }) => Response;

const PHOTO = new Uint8Array([1, 2, 3]);
const MODEL = { name: "m", version: "1", precision: "fp32", digest: "sha256:0", preprocessing: "sha256:1" };

function ok(): Response {
  const predictions = [{ rank: 1, class_index: 3, id: "n3", label: "three", score: 1 }];
  const body = { model: MODEL, results: [{ index: 0, name: null, crop: [1, 0, 3, 2], predictions }] };
  return Response.json(body, { headers: { "server-timing": "decode;dur=1.5, queue;dur=0.250" } });
}

function problem(status: number, code: string, headers: Record<string, string> = {}): Response {
  return Response.json({ code, title: "So", detail: "it is", status }, { status, headers });
}

/** A client whose answers are scripted, and whose pauses take no time but are noted. */
function scripted(answers: (Answer | "refused")[], options: ClientOptions = {}) {
  const pauses: number[] = [];
  const told: Retry[] = [];
  const sent: { headers: Headers; url: string }[] = [];
  let now = 0;
  const client = new Client({
    baseUrl: "http://service/prefix/",
    fetch: async (input, init) => {
      const request = { url: String(input), headers: new Headers(init?.headers) };
      sent.push(request);
      const answer = answers.shift() ?? ok;
      if (answer === "refused") throw new TypeError("fetch failed");
      const response = answer(request);
      if (!response.headers.has("x-request-id")) {
        response.headers.set("x-request-id", request.headers.get("x-request-id") ?? "");
      }
      return response;
    },
    sleep: async (seconds) => {
      pauses.push(seconds);
      now += seconds;
    },
    clock: () => now,
    random: () => 0.5,
    onRetry: (retry) => told.push(retry),
    ...options,
  });
  return { client, pauses, told, sent };
}

test("an answer is read", async () => {
  const { client, sent } = scripted([ok], { apiKey: "secret" });
  const answer = await client.classify(PHOTO, { topK: 3, include: ["cam", "embedding"], minScore: 0.5 });
  assert.deepEqual(answer.crop, [1, 0, 3, 2]);
  assert.deepEqual(answer.timing, { decode: 1.5, queue: 0.25 });
  assert.equal(answer.predictions[0]?.classIndex, 3);
  assert.equal(sent[0]?.url, "http://service/prefix/classify?top_k=3&min_score=0.5&include=cam%2Cembedding");
  assert.equal(sent[0]?.headers.get("authorization"), "Bearer secret");
});

test("429 and 503 are tried again after what Retry-After asks for, with the same id", async () => {
  const { client, pauses, told, sent } = scripted([
    () => problem(429, "overloaded", { "retry-after": "3" }),
    () => problem(503, "not_ready"),
    () => problem(503, "too_many_connections"),
    ok,
  ]);
  await client.classify(PHOTO);
  assert.deepEqual(pauses, [3.1, 0.2, 0.4]);
  assert.deepEqual(told.map((retry) => [retry.error.code, retry.attempt]), [
    ["overloaded", 1], ["not_ready", 2], ["too_many_connections", 3],
  ]);
  assert.equal(new Set(sent.map((request) => request.headers.get("x-request-id"))).size, 1);
});

test("a pause that would not end by the deadline is not begun", async () => {
  const { client, pauses } = scripted([() => problem(429, "overloaded", { "retry-after": "5" })]);
  await assert.rejects(client.classify(PHOTO, { timeout: 4 }), Overloaded);
  assert.deepEqual(pauses, []);
});

test("attempts are counted, and end", async () => {
  const full = () => problem(429, "overloaded");
  const { client } = scripted([full, full, full, ok], { retries: { attempts: 3 } });
  await assert.rejects(client.classify(PHOTO), { attempts: 3, status: 429 });
});

test("a service that never was there is told at once, one that was is waited for", async () => {
  const never = scripted(["refused", ok]);
  await assert.rejects(never.client.classify(PHOTO), ConnectionFailed);
  const once = scripted([ok, "refused", ok]);
  await once.client.classify(PHOTO);
  await once.client.classify(PHOTO);
  assert.equal(once.pauses.length, 1);
  const patient = scripted(["refused", ok], { retries: { unreachable: true } });
  await patient.client.classify(PHOTO);
});

test("errors are of one tree, by their codes", async () => {
  const cases: [Response, abstract new (...args: never[]) => Error][] = [
    [problem(422, "invalid_image"), InvalidImage],
    [problem(403, "forbidden"), Forbidden],
    [problem(409, "load_conflict"), LoadConflict],
    [problem(422, "load_refused"), LoadRefused],
    [problem(418, "code_of_a_later_version"), ServiceError],
    [problem(404, "not_found"), UnexpectedAnswer],
    [new Response("<html>", { status: 200 }), UnexpectedAnswer],
    [new Response("<html>", { status: 500 }), UnexpectedAnswer],
    [new Response("", { status: 504 }), TimedOut],
    [Response.json({ model: MODEL, results: [] }), UnexpectedAnswer],
  ];
  for (const [response, kind] of cases) {
    const { client } = scripted([() => response]);
    await assert.rejects(client.classify(PHOTO), kind);
  }
});

test("an answer to another request is refused", async () => {
  const { client } = scripted([() => problem(429, "overloaded", { "x-request-id": "other" })]);
  await assert.rejects(client.classify(PHOTO), AnswerOfAnother);
});

test("what cannot be used is told before anything is sent", async () => {
  assert.throws(() => new Client({ baseUrl: "service" }), InvalidArgument);
  assert.throws(() => new Client({ apiKey: "line\nbreak" }), InvalidArgument);
  assert.throws(() => new Client({ retries: { attempts: 0 } }), InvalidArgument);
  const { client, sent } = scripted([]);
  await assert.rejects(client.classify(new Uint8Array()), UnreadableImage);
  await assert.rejects(client.classify("photo.jpg" as never), InvalidArgument);
  await assert.rejects(client.classifyBatch([]), InvalidArgument);
  assert.equal(sent.length, 0);
});

test("a signal ends a call, and a pause", async () => {
  const abort = new AbortController();
  const { client } = scripted([() => problem(429, "overloaded")], {
    sleep: async () => abort.abort(new Error("enough")),
  });
  await assert.rejects(client.classify(PHOTO, { signal: abort.signal }), { message: "enough" });
});
