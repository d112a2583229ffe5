/** One call from its first attempt to its answer, pauses and deadline included. */

import { readError } from "./answers.js";
import {
  AnswerOfAnother,
  ConnectionFailed,
  InvalidArgument,
  SenetClientError,
  ServiceError,
  TimedOut,
  Unavailable,
} from "./errors.js";

/** When and how soon to try again: after 429 and 503, and where connections fail or break. */
export interface Retries {
  /** Most attempts, the first included; 10 by default. */
  readonly attempts: number;
  /** Bound of the first pause in seconds, 0.2 by default; it doubles with each attempt. */
  readonly firstPause: number;
  /** Bound of every pause in seconds, 10 by default; what `Retry-After` asks for comes before it. */
  readonly longestPause: number;
  /** Whether an attempt that times out is repeated as well. */
  readonly timeouts: boolean;
  /** Whether to wait also for a service that this client has not reached yet. */
  readonly unreachable: boolean;
}

/** Told before each pause. */
export interface Retry {
  readonly error: SenetClientError;
  /** Which attempt failed, from 1. */
  readonly attempt: number;
  readonly pauseSeconds: number;
}

/** What a call sends. */
export interface WireRequest {
  readonly method: string;
  readonly path: string;
  readonly query?: URLSearchParams;
  readonly body?: BodyInit;
  readonly contentType?: string;
}

/** What a client's calls share. */
export interface Policy {
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly retries: Retries;
  readonly fetch: typeof fetch;
  readonly onRetry: (retry: Retry) => void;
  readonly sleep: (seconds: number, signal: AbortSignal | undefined) => Promise<void>;
  /** Monotonic time in seconds. */
  readonly clock: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Whether there ever was an answer from the service. */
  reached: boolean;
}

/** How long one call may take, and what ends it early. */
export interface Limits {
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
}

/** Sends a request until it is answered, or trying again is of no use. */
export async function call<T>(
  policy: Policy,
  request: WireRequest,
  limits: Limits,
  read: (response: Response, attempts: number) => Promise<T>,
): Promise<T> {
  if (!Number.isFinite(limits.timeout)) {
    throw new InvalidArgument("timeout must be a finite number of seconds");
  }
  const deadline = policy.clock() + limits.timeout;
  const requestId = newId();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await attemptOnce(policy, request, requestId, deadline, limits.signal, (response) =>
        read(response, attempt),
      );
    } catch (error) {
      if (!(error instanceof SenetClientError)) {
        throw error;
      }
      error.attempts = attempt;
      error.requestId ??= requestId;
      const pause = pauseAfter(policy, error, attempt);
      if (
        attempt >= policy.retries.attempts ||
        !mayHelp(policy, error) ||
        policy.clock() + pause >= deadline
      ) {
        throw error;
      }
      policy.onRetry({ error, attempt, pauseSeconds: pause });
      await policy.sleep(pause, limits.signal);
    }
  }
}

async function attemptOnce<T>(
  policy: Policy,
  request: WireRequest,
  requestId: string,
  deadline: number,
  signal: AbortSignal | undefined,
  read: (response: Response) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const left = Math.max(0.001, deadline - policy.clock());
  const abort = new AbortController();
  const leave = (): void => abort.abort(signal?.reason);
  signal?.addEventListener("abort", leave, { once: true });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    abort.abort();
  }, left * 1000);
  try {
    const response = await policy.fetch(urlOf(policy, request), {
      method: request.method,
      headers: headersOf(policy, request, requestId, left),
      ...(request.body === undefined ? {} : { body: request.body }),
      signal: abort.signal,
      cache: "no-store",
    });
    policy.reached = true;
    const echoed = response.headers.get("x-request-id");
    if (echoed !== null && echoed !== requestId) {
      throw new AnswerOfAnother(
        `the answer is that of the request ${JSON.stringify(echoed)}; does a proxy mix up answers?`,
      );
    }
    if (response.status !== 200) {
      throw await readError(response);
    }
    return await read(response);
  } catch (error) {
    if (error instanceof SenetClientError) {
      throw error;
    }
    signal?.throwIfAborted();
    if (late) {
      throw new TimedOut("no answer in time", { cause: error });
    }
    throw new ConnectionFailed("no connection to the service", { cause: error });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", leave);
  }
}

function urlOf(policy: Policy, request: WireRequest): string {
  const query = request.query?.toString();
  return `${policy.baseUrl}/${request.path}${query ? `?${query}` : ""}`;
}

function headersOf(
  policy: Policy,
  request: WireRequest,
  requestId: string,
  left: number,
): Record<string, string> {
  return {
    accept: "application/json",
    "x-request-id": requestId,
    "x-request-timeout-ms": String(Math.ceil(left * 1000)),
    ...(request.contentType === undefined ? {} : { "content-type": request.contentType }),
    ...(policy.apiKey === undefined ? {} : { authorization: `Bearer ${policy.apiKey}` }),
  };
}

/** Whether another attempt may help: a service that never was reached is probably a wrong URL. */
function mayHelp(policy: Policy, error: SenetClientError): boolean {
  if (error instanceof TimedOut) {
    return policy.retries.timeouts;
  }
  if (error instanceof ConnectionFailed) {
    return policy.reached || policy.retries.unreachable;
  }
  return error instanceof Unavailable;
}

/** Full jitter, after what `Retry-After` asks for. */
function pauseAfter(policy: Policy, error: SenetClientError, attempt: number): number {
  const { firstPause, longestPause } = policy.retries;
  const bound = Math.min(longestPause, firstPause * 2 ** Math.min(attempt - 1, 30));
  const asked = error instanceof ServiceError ? (error.retryAfterSeconds ?? 0) : 0;
  return asked + policy.random() * bound;
}

/** 128 random bits; `crypto.randomUUID` is missing on pages that came over plain HTTP. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
