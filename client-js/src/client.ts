/** The client. */

import { readBatch, readClassGates, readFeedback, readModels } from "./answers.js";
import { call, type Limits, type Policy, type Retries, type Retry, type WireRequest } from "./calls.js";
import {
  ConnectionFailed,
  ImageError,
  InvalidArgument,
  SenetClientError,
  TimedOut,
  Unavailable,
  UnreadableImage,
} from "./errors.js";
import type { Batch, ClassGates, Classification, LoadedModel, Model, Result } from "./results.js";

/** Encoded bytes of an image; a `File` brings its name. */
export type ImageLike = Blob | ArrayBuffer | Uint8Array<ArrayBuffer>;

export type Output = "embedding" | "cam" | "excitations";

/** What a client needs to know; all of it has a default. */
export interface ClientOptions {
  /** Where the service is, a proxy's path prefix included; http://127.0.0.1:8000 by default. */
  readonly baseUrl?: string;
  /** Sent as a bearer token. */
  readonly apiKey?: string;
  /** Seconds for a whole call, retries included; 60 by default. */
  readonly timeout?: number;
  readonly retries?: Partial<Retries>;
  readonly onRetry?: (retry: Retry) => void;
  /** Most images that `classifyMany` puts into a request; 16 by default. */
  readonly imagesPerRequest?: number;
  /** Most bytes that it puts into a request of several images; 8 MiB by default. */
  readonly bytesPerRequest?: number;
  /** What sends requests, waits, and tells time and chance; for tests. */
  readonly fetch?: typeof fetch;
  readonly sleep?: (seconds: number, signal: AbortSignal | undefined) => Promise<void>;
  readonly clock?: () => number;
  readonly random?: () => number;
}

/** What each call may be given. */
export interface CallOptions {
  /** Seconds for the whole call, retries included. */
  readonly timeout?: number;
  /** Ends the call; it is rejected with the signal's reason then. */
  readonly signal?: AbortSignal;
}

/** What a classification may ask for; the service's own defaults hold for what is left out. */
export interface ClassifyOptions extends CallOptions {
  readonly model?: string;
  readonly version?: string;
  /** Most classes per image. */
  readonly topK?: number;
  /** Classes with a lower score are left out. */
  readonly minScore?: number;
  /** Outputs beyond the classes. */
  readonly include?: readonly Output[];
  /** Adds `predictionSet`, the classes that hold the true one with this probability. */
  readonly coverage?: number;
  /** `bulk` lets interactive images go first. */
  readonly priority?: "interactive" | "bulk";
}

/** What a picture of a map may be asked for. */
export interface ExplainOptions extends CallOptions {
  readonly model?: string;
  readonly version?: string;
  /** Whose map is drawn; without it, the best class's. */
  readonly classIndex?: number;
  /** Of the map where it is strongest, between 0 and 1. */
  readonly opacity?: number;
  readonly priority?: "interactive" | "bulk";
}

/** Classifies images over HTTP. */
export class Client {
  readonly #policy: Policy;
  readonly #timeout: number;
  readonly #imagesPerRequest: number;
  readonly #bytesPerRequest: number;

  constructor(options: ClientOptions = {}) {
    const baseUrl = (options.baseUrl ?? "http://127.0.0.1:8000").replace(/\/+$/, "");
    const attempts = options.retries?.attempts ?? 10;
    this.#imagesPerRequest = options.imagesPerRequest ?? 16;
    this.#bytesPerRequest = options.bytesPerRequest ?? 8 * 1024 * 1024;
    this.#timeout = options.timeout ?? 60;
    if (!/^https?:\/\//.test(baseUrl)) {
      throw new InvalidArgument(`baseUrl: ${JSON.stringify(baseUrl)} does not begin with http(s)://`);
    }
    const counts = [attempts, this.#imagesPerRequest, this.#bytesPerRequest];
    if (!counts.every((count) => Number.isInteger(count) && count >= 1)) {
      throw new InvalidArgument("counts must be whole numbers of at least 1");
    }
    // It stands in a header, where line breaks and other characters have no place.
    if (options.apiKey !== undefined && !/^[\x21-\x7e]+$/.test(options.apiKey)) {
      throw new InvalidArgument("apiKey: only visible ASCII characters are possible");
    }
    this.#policy = {
      baseUrl,
      apiKey: options.apiKey,
      retries: {
        attempts,
        firstPause: options.retries?.firstPause ?? 0.2,
        longestPause: options.retries?.longestPause ?? 10,
        timeouts: options.retries?.timeouts ?? false,
        unreachable: options.retries?.unreachable ?? false,
      },
      // Called as a method of another object, a browser's `fetch` refuses.
      fetch: options.fetch ?? ((input, init) => fetch(input, init)),
      onRetry: options.onRetry ?? (() => undefined),
      sleep: options.sleep ?? pause,
      clock: options.clock ?? (() => performance.now() / 1000),
      random: options.random ?? Math.random,
      reached: false,
    };
  }

  /** Classifies one image. */
  async classify(image: ImageLike, options: ClassifyOptions = {}): Promise<Classification> {
    const result = (await this.classifyBatch([image], options)).results[0];
    if (result === undefined || result instanceof SenetClientError) {
      throw result ?? new InvalidArgument("no image was given");
    }
    return result;
  }

  /** Classifies images in exactly one request; one that fails has its error among the results. */
  async classifyBatch(
    images: readonly ImageLike[],
    options: ClassifyOptions = {},
  ): Promise<Batch> {
    const names = images.map(nameOf);
    const request = classifyRequest(await Promise.all(images.map(bytesOf)), options);
    return call(this.#policy, request, this.#limits(options), (response, attempts) =>
      readBatch(response, names, attempts),
    );
  }

  /**
   * Classifies any number of images, several in a request and several requests at once.
   *
   * Gives for each image, in order, its classification or the error that it alone has. Images are
   * taken as they are needed. A request that fails as a whole is thrown.
   */
  async *classifyMany(
    images: Iterable<ImageLike> | AsyncIterable<ImageLike>,
    options: ClassifyOptions & { readonly concurrency?: number } = {},
  ): AsyncGenerator<Result, void, undefined> {
    const { concurrency = 4, ...asked } = options;
    if (!Number.isInteger(concurrency) || concurrency < 1) {
      throw new InvalidArgument("concurrency must be a whole number of at least 1");
    }
    const window: Promise<readonly Result[]>[] = [];
    for await (const group of groups(images, this.#imagesPerRequest, this.#bytesPerRequest)) {
      const results = this.#group(group, asked);
      results.catch(() => undefined); // told when it is this group's turn
      window.push(results);
      if (window.length >= concurrency) {
        yield* (await window.shift()) ?? [];
      }
    }
    for (const results of window) {
      yield* await results;
    }
  }

  /**
   * Draws where in an image the network saw a class: a PNG of the upright photo, at most 1,024
   * pixels long, under the class activation map; what the network did not see is darkened.
   */
  async explain(image: ImageLike, options: ExplainOptions = {}): Promise<Blob> {
    const request = {
      method: "POST",
      path: "explain",
      query: queryOf(options),
      body: await bytesOf(image),
      contentType: "application/octet-stream",
    };
    return call(this.#policy, request, this.#limits(options), (response) => response.blob());
  }

  /** The models that the service has loaded. */
  async models(options: CallOptions = {}): Promise<LoadedModel[]> {
    const request = { method: "GET", path: "models" };
    return call(this.#policy, request, this.#limits(options), readModels);
  }

  /** What the gates did over the photos of a class when a model was exported. */
  async classGates(model: Model, classIndex: number, options: CallOptions = {}): Promise<ClassGates> {
    const path = `models/${model.name}/versions/${model.version}/gates/${classIndex}`;
    return call(this.#policy, { method: "GET", path }, this.#limits(options), readClassGates);
  }

  /**
   * Says which class an image of an earlier answer really has; needs a key with the scope
   * `feedback`. `index` is the image's place in its request. Gives whether the answer was right.
   */
  async feedback(
    label: { readonly requestId: string; readonly index: number; readonly classIndex: number },
    options: CallOptions = {},
  ): Promise<boolean> {
    const once: Policy = { ...this.#policy, retries: { ...this.#policy.retries, attempts: 1 } };
    const content = [
      { request_id: label.requestId, index: label.index, class_index: label.classIndex },
    ];
    const request = {
      method: "POST",
      path: "feedback",
      body: new Blob([JSON.stringify(content)]),
      contentType: "application/json",
    };
    return call(once, request, this.#limits(options), readFeedback);
  }

  /** Whether images may be sent now. Asks once. */
  async ready(options: CallOptions = {}): Promise<boolean> {
    const once: Policy = { ...this.#policy, retries: { ...this.#policy.retries, attempts: 1 } };
    try {
      const request = { method: "GET", path: "readyz" };
      return await call(once, request, this.#limits(options), async () => true);
    } catch (error) {
      if (
        error instanceof Unavailable ||
        error instanceof TimedOut ||
        error instanceof ConnectionFailed
      ) {
        return false;
      }
      throw error;
    }
  }

  async #group(images: readonly ImageLike[], options: ClassifyOptions): Promise<readonly Result[]> {
    const read = await Promise.all(images.map((image) => bytesOf(image).catch(asImageError)));
    const sent = images.filter((_, index) => read[index] instanceof Blob);
    let answers: readonly Result[] = [];
    try {
      answers = sent.length > 0 ? (await this.classifyBatch(sent, options)).results : [];
    } catch (error) {
      // Of a request that held one image its failure is the response.
      if (sent.length > 1 || !(error instanceof SenetClientError) || !OF_AN_IMAGE.has(error.code)) {
        throw error;
      }
      answers = [error];
    }
    const remaining = answers[Symbol.iterator]();
    return read.map((item) => (item instanceof Blob ? (remaining.next().value as Result) : item));
  }

  #limits(options: CallOptions): Limits {
    return { timeout: options.timeout ?? this.#timeout, signal: options.signal };
  }
}

const OF_AN_IMAGE: ReadonlySet<string> = new Set([
  "unsupported_image_format",
  "invalid_image",
  "image_too_large",
  "body_too_large",
  "inference_failed",
  "deadline_exceeded",
]);

/** One request for all the images: the raw body for one, multipart for several. */
function classifyRequest(images: readonly Blob[], options: ClassifyOptions): WireRequest {
  const [first] = images;
  if (first === undefined) {
    throw new InvalidArgument("no image was given; give at least one");
  }
  const request = { method: "POST", path: "classify", query: queryOf(options) };
  if (images.length === 1) {
    return { ...request, body: first, contentType: "application/octet-stream" };
  }
  const form = new FormData();
  // Parts carry no names: answers come by position.
  images.forEach((image) => form.append("image", image, ""));
  return { ...request, body: form };
}

function queryOf(options: ClassifyOptions & ExplainOptions): URLSearchParams {
  const query = new URLSearchParams();
  const add = (name: string, value: string | number | undefined): void => {
    if (value !== undefined) {
      query.set(name, String(value));
    }
  };
  add("model", options.model);
  add("version", options.version);
  add("top_k", options.topK);
  add("min_score", options.minScore);
  add("include", options.include?.join(","));
  add("coverage", options.coverage);
  add("class_index", options.classIndex);
  add("opacity", options.opacity);
  add("priority", options.priority);
  return query;
}

async function* groups(
  images: Iterable<ImageLike> | AsyncIterable<ImageLike>,
  mostImages: number,
  mostBytes: number,
): AsyncGenerator<ImageLike[], void, undefined> {
  let group: ImageLike[] = [];
  let bytes = 0;
  for await (const image of images) {
    const size = image instanceof Blob ? image.size : image.byteLength;
    if (group.length === mostImages || (group.length > 0 && bytes + size > mostBytes)) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(image);
    bytes += size;
  }
  if (group.length > 0) {
    yield group;
  }
}

function nameOf(image: ImageLike): string | undefined {
  return image instanceof Blob && "name" in image ? String(image.name) : undefined;
}

/** The image's bytes, read now: a file may change or go while a request is repeated. */
async function bytesOf(image: ImageLike): Promise<Blob> {
  let bytes: ArrayBuffer | Uint8Array<ArrayBuffer>;
  if (image instanceof Blob) {
    try {
      bytes = await image.arrayBuffer();
    } catch (error) {
      throw new UnreadableImage("the image could not be read", { cause: error });
    }
  } else if (image instanceof ArrayBuffer || ArrayBuffer.isView(image)) {
    bytes = image;
  } else {
    throw new InvalidArgument("an image is a Blob, an ArrayBuffer or a Uint8Array of encoded bytes");
  }
  if (bytes.byteLength === 0) {
    throw new UnreadableImage("the image is empty");
  }
  return new Blob([bytes]);
}

function asImageError(error: unknown): ImageError {
  if (error instanceof ImageError) {
    return error;
  }
  throw error;
}

function pause(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", leave);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener("abort", leave, { once: true });
  });
}
