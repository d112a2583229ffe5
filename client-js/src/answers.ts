/** The wire format on the way in. */

import {
  ConnectionFailed,
  errorOfCode,
  ServiceError,
  TimedOut,
  Unavailable,
  UnexpectedAnswer,
  type SenetClientError,
} from "./errors.js";
import type {
  Batch,
  ClassGates,
  Classification,
  Crop,
  LoadedModel,
  Model,
  Prediction,
  Result,
  SetMember,
} from "./results.js";

type Json = Record<string, unknown>;

/** Reads the answer to a classification of that many images. */
export async function readBatch(
  response: Response,
  names: readonly (string | undefined)[],
  attempts: number,
): Promise<Batch> {
  const body = await readObject(response);
  const model = modelOf(get(body, "model", "object"));
  const requestId = response.headers.get("x-request-id") ?? "";
  const items = get(body, "results", "array");
  if (items.length !== names.length) {
    throw new UnexpectedAnswer(
      `${names.length} images were sent, ${items.length} results came back`,
    );
  }
  const timing = timingOf(response.headers.get("server-timing") ?? "");
  const results = items.map((value, index): Result => {
    const item = asObject(value);
    if (item["error"] !== undefined) {
      const error = errorOf(get(item, "error", "object"));
      error.requestId = requestId;
      error.attempts = attempts;
      return error;
    }
    return {
      name: names[index],
      model,
      predictions: get(item, "predictions", "array").map((entry) => predictionOf(asObject(entry))),
      crop: cropOf(item["crop"]),
      embedding: item["embedding"] as Classification["embedding"],
      predictionSet: setOf(item),
      index: get(item, "index", "number"),
      rejected: item["rejected"] === true,
      reason: item["reason"] as string | undefined,
      excitations: item["excitations"] as Classification["excitations"],
      requestId,
      timing,
    };
  });
  return { model, results, requestId, attempts };
}

/** Reads the answer of `GET /models`. */
export async function readModels(response: Response): Promise<LoadedModel[]> {
  const body = await readObject(response);
  return get(body, "models", "array").map((item) => {
    const value = asObject(item);
    const size = get(value, "input", "object");
    return {
      ...modelOf(value),
      architecture: get(value, "architecture", "string"),
      provider: get(value, "provider", "string"),
      height: get(size, "height", "number"),
      width: get(size, "width", "number"),
      labels: get(value, "labels", "number"),
      exifTranspose: value["exif_transpose"] !== false,
      outputs: (value["outputs"] ?? []) as LoadedModel["outputs"],
    };
  });
}

/** Reads the answer of `GET /models/{m}/versions/{v}/gates/{class_index}`. */
export async function readClassGates(response: Response): Promise<ClassGates> {
  const body = await readObject(response);
  return {
    label: get(body, "label", "string"),
    dataset: get(body, "dataset", "string"),
    photos: get(body, "photos", "number"),
    blocks: get(body, "blocks", "object") as ClassGates["blocks"],
  };
}

/** Reads the answer to a single label. */
export async function readFeedback(response: Response): Promise<boolean> {
  const [result] = get(await readObject(response), "results", "array");
  return asObject(result)["right"] === true;
}

/** The error that a response of another status code than 200 tells of. */
export async function readError(response: Response): Promise<SenetClientError> {
  const problem = await readProblem(response);
  const after = retryAfter(response.headers.get("retry-after"));
  if (problem === undefined) {
    return foreignError(response, after);
  }
  const code = String(problem["code"]);
  if (code === "not_found" || code === "method_not_allowed") {
    return new UnexpectedAnswer(`${response.url} is not part of the service's API`);
  }
  const error = errorOfCode(code, `${problem["title"] ?? code}: ${problem["detail"] ?? ""}`);
  if (typeof problem["request_id"] === "string") {
    error.requestId = problem["request_id"];
  }
  if (error instanceof ServiceError) {
    error.status = response.status;
    error.retryAfterSeconds = after;
  }
  return error;
}

async function readProblem(response: Response): Promise<Json | undefined> {
  try {
    const body: unknown = await response.json();
    return isObject(body) && typeof body["code"] === "string" ? body : undefined;
  } catch {
    return undefined;
  }
}

/** An error that a proxy or another service answered. */
function foreignError(response: Response, after: number | undefined): SenetClientError {
  const { status } = response;
  const told = `${response.url} answered ${status} ${response.statusText}`;
  if (status === 502) {
    return new ConnectionFailed(`${told}: no service behind the gateway`);
  }
  if (status === 504) {
    return new TimedOut(told);
  }
  if (status === 429 || status === 503) {
    const error = new Unavailable(told);
    error.code = "unavailable";
    error.status = status;
    error.retryAfterSeconds = after;
    return error;
  }
  return new UnexpectedAnswer(`${told}, which is not an answer of the service's API`);
}

/** `Retry-After` in seconds, whether it came as seconds or as a date (RFC 9110, 10.2.3). */
function retryAfter(text: string | null): number | undefined {
  if (text === null) {
    return undefined;
  }
  if (/^\d+$/.test(text.trim())) {
    return Number(text);
  }
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - Date.now()) / 1000);
}

/** W3C Server Timing: `decode;dur=1.5, queue;dur=0.2` in milliseconds. */
function timingOf(header: string): Record<string, number> {
  const found = [...header.matchAll(/([\w-]+);dur=([\d.]+)/g)];
  return Object.fromEntries(found.map((match) => [match[1], Number(match[2])]));
}

function errorOf(told: Json): SenetClientError {
  return errorOfCode(get(told, "code", "string"), `${told["title"]}: ${told["detail"]}`);
}

function predictionOf(value: Json): Prediction {
  return {
    rank: get(value, "rank", "number"),
    classIndex: get(value, "class_index", "number"),
    id: get(value, "id", "string"),
    label: get(value, "label", "string"),
    score: get(value, "score", "number"),
    cam: value["cam"] as Prediction["cam"],
  };
}

function setOf(item: Json): SetMember[] | undefined {
  if (item["prediction_set"] === undefined) {
    return undefined;
  }
  return get(item, "prediction_set", "array").map((member) => {
    const value = asObject(member);
    return {
      classIndex: get(value, "class_index", "number"),
      id: get(value, "id", "string"),
      label: get(value, "label", "string"),
      score: get(value, "score", "number"),
    };
  });
}

function cropOf(value: unknown): Crop | undefined {
  if (value === undefined) {
    return undefined;
  }
  if (!Array.isArray(value) || value.length !== 4 || !value.every(Number.isFinite)) {
    throw new UnexpectedAnswer("the answer's crop is not four numbers");
  }
  return value as unknown as Crop;
}

function modelOf(value: Json): Model {
  return {
    name: get(value, "name", "string"),
    version: get(value, "version", "string"),
    precision: get(value, "precision", "string"),
    digest: get(value, "digest", "string"),
    preprocessing: get(value, "preprocessing", "string"),
  };
}

async function readObject(response: Response): Promise<Json> {
  try {
    return asObject(await response.json());
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new UnexpectedAnswer(`${response.url} did not answer with JSON`, { cause: error });
    }
    throw error;
  }
}

interface Kinds {
  string: string;
  number: number;
  object: Json;
  array: unknown[];
}

function get<K extends keyof Kinds>(value: Json, name: string, kind: K): Kinds[K] {
  const found = value[name];
  const isRight =
    kind === "array"
      ? Array.isArray(found)
      : kind === "object"
        ? isObject(found)
        : typeof found === kind;
  if (!isRight) {
    throw new UnexpectedAnswer(
      `the answer has no usable ${JSON.stringify(name)}; does the service speak this client's API?`,
    );
  }
  return found as Kinds[K];
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asObject(value: unknown): Json {
  if (!isObject(value)) {
    throw new UnexpectedAnswer("the answer is not a JSON object");
  }
  return value;
}
