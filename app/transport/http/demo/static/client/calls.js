import{readError } from "./answers.js";import{AnswerOfAnother, ConnectionFailed, InvalidArgument, SenetClientError, ServiceError, TimedOut, Unavailable, } from "./errors.js";export async function call(policy, request, limits, read){if (!Number.isFinite(limits.timeout)){throw new InvalidArgument("timeout must be a finite number of seconds");}
const deadline = policy.clock() + limits.timeout;const requestId = newId();for (let attempt = 1;; attempt += 1){try{return await attemptOnce(policy, request, requestId, deadline, limits.signal, (response) => read(response, attempt));}
catch (error){if (!(error instanceof SenetClientError)){throw error;}
error.attempts = attempt;error.requestId ??= requestId;const pause = pauseAfter(policy, error, attempt);if (attempt >= policy.retries.attempts ||
!mayHelp(policy, error) ||
policy.clock() + pause >= deadline){throw error;}
policy.onRetry({ error, attempt, pauseSeconds: pause });await policy.sleep(pause, limits.signal);}
}
}
async function attemptOnce(policy, request, requestId, deadline, signal, read){signal?.throwIfAborted();const left = Math.max(0.001, deadline - policy.clock());const abort = new AbortController();const leave = () => abort.abort(signal?.reason);signal?.addEventListener("abort", leave,{once: true });let late = false;const timer = setTimeout(() =>{late = true;abort.abort();}, left * 1000);try{const response = await policy.fetch(urlOf(policy, request),{method: request.method,headers: headersOf(policy, request, requestId, left),...(request.body === undefined ?{} :{body: request.body }),signal: abort.signal,cache: "no-store",});policy.reached = true;const echoed = response.headers.get("x-request-id");if (echoed !== null && echoed !== requestId){throw new AnswerOfAnother(`the answer is that of the request ${JSON.stringify(echoed)}; does a proxy mix up answers?`);}
if (response.status !== 200){throw await readError(response);}
return await read(response);}
catch (error){if (error instanceof SenetClientError){throw error;}
signal?.throwIfAborted();if (late){throw new TimedOut("no answer in time",{cause: error });}
throw new ConnectionFailed("no connection to the service",{cause: error });}
finally{clearTimeout(timer);signal?.removeEventListener("abort", leave);}
}
function urlOf(policy, request){const query = request.query?.toString();return `${policy.baseUrl}/${request.path}${query ? `?${query}` : ""}`;}
function headersOf(policy, request, requestId, left){return{accept: "application/json","x-request-id": requestId,"x-request-timeout-ms": String(Math.ceil(left * 1000)),...(request.contentType === undefined ?{} :{"content-type": request.contentType }),...(policy.apiKey === undefined ?{} :{authorization: `Bearer ${policy.apiKey}` }),};}
function mayHelp(policy, error){if (error instanceof TimedOut){return policy.retries.timeouts;}
if (error instanceof ConnectionFailed){return policy.reached || policy.retries.unreachable;}
return error instanceof Unavailable;}
function pauseAfter(policy, error, attempt){const{firstPause, longestPause } = policy.retries;const bound = Math.min(longestPause, firstPause * 2 ** Math.min(attempt - 1, 30));const asked = error instanceof ServiceError ? (error.retryAfterSeconds ?? 0) : 0;return asked + policy.random() * bound;}
function newId(){const bytes = crypto.getRandomValues(new Uint8Array(16));return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");}
