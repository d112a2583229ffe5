import{readBatch, readClassGates, readFeedback, readModels } from "./answers.js";import{call } from "./calls.js";import{ConnectionFailed, ImageError, InvalidArgument, SenetClientError, TimedOut, Unavailable, UnreadableImage, } from "./errors.js";export class Client{#policy;#timeout;#imagesPerRequest;#bytesPerRequest;constructor(options ={}){const baseUrl = (options.baseUrl ?? "http://127.0.0.1:8000").replace(/\/+$/, "");const attempts = options.retries?.attempts ?? 10;this.#imagesPerRequest = options.imagesPerRequest ?? 16;this.#bytesPerRequest = options.bytesPerRequest ?? 8 * 1024 * 1024;this.#timeout = options.timeout ?? 60;if (!/^https?:\/\//.test(baseUrl)){throw new InvalidArgument(`baseUrl: ${JSON.stringify(baseUrl)} does not begin with http(s)://`);}
const counts = [attempts, this.#imagesPerRequest, this.#bytesPerRequest];if (!counts.every((count) => Number.isInteger(count) && count >= 1)){throw new InvalidArgument("counts must be whole numbers of at least 1");}
if (options.apiKey !== undefined && !/^[\x21-\x7e]+$/.test(options.apiKey)){throw new InvalidArgument("apiKey: only visible ASCII characters are possible");}
this.#policy ={baseUrl,apiKey: options.apiKey,retries:{attempts,firstPause: options.retries?.firstPause ?? 0.2,longestPause: options.retries?.longestPause ?? 10,timeouts: options.retries?.timeouts ?? false,unreachable: options.retries?.unreachable ?? false,},fetch: options.fetch ?? ((input, init) => fetch(input, init)),onRetry: options.onRetry ?? (() => undefined),sleep: options.sleep ?? pause,clock: options.clock ?? (() => performance.now() / 1000),random: options.random ?? Math.random,reached: false,};}
async classify(image, options ={}){const result = (await this.classifyBatch([image], options)).results[0];if (result === undefined || result instanceof SenetClientError){throw result ?? new InvalidArgument("no image was given");}
return result;}
async classifyBatch(images, options ={}){const names = images.map(nameOf);const request = classifyRequest(await Promise.all(images.map(bytesOf)), options);return call(this.#policy, request, this.#limits(options), (response, attempts) => readBatch(response, names, attempts));}
async *classifyMany(images, options ={}){const{concurrency = 4, ...asked } = options;if (!Number.isInteger(concurrency) || concurrency < 1){throw new InvalidArgument("concurrency must be a whole number of at least 1");}
const window = [];for await (const group of groups(images, this.#imagesPerRequest, this.#bytesPerRequest)){const results = this.#group(group, asked);results.catch(() => undefined);window.push(results);if (window.length >= concurrency){yield* (await window.shift()) ?? [];}
}
for (const results of window){yield* await results;}
}
async explain(image, options ={}){const request ={method: "POST",path: "explain",query: queryOf(options),body: await bytesOf(image),contentType: "application/octet-stream",};return call(this.#policy, request, this.#limits(options), (response) => response.blob());}
async models(options ={}){const request ={method: "GET", path: "models" };return call(this.#policy, request, this.#limits(options), readModels);}
async classGates(model, classIndex, options ={}){const path = `models/${model.name}/versions/${model.version}/gates/${classIndex}`;return call(this.#policy,{method: "GET", path }, this.#limits(options), readClassGates);}
async feedback(label, options ={}){const once ={...this.#policy, retries:{...this.#policy.retries, attempts: 1 } };const content = [
{ request_id: label.requestId, index: label.index, class_index: label.classIndex },];const request ={method: "POST",path: "feedback",body: new Blob([JSON.stringify(content)]),contentType: "application/json",};return call(once, request, this.#limits(options), readFeedback);}
async ready(options ={}){const once ={...this.#policy, retries:{...this.#policy.retries, attempts: 1 } };try{const request ={method: "GET", path: "readyz" };return await call(once, request, this.#limits(options), async () => true);}
catch (error){if (error instanceof Unavailable ||
error instanceof TimedOut ||
error instanceof ConnectionFailed){return false;}
throw error;}
}
async #group(images, options){const read = await Promise.all(images.map((image) => bytesOf(image).catch(asImageError)));const sent = images.filter((_, index) => read[index] instanceof Blob);let answers = [];try{answers = sent.length > 0 ? (await this.classifyBatch(sent, options)).results : [];}
catch (error){if (sent.length > 1 || !(error instanceof SenetClientError) || !OF_AN_IMAGE.has(error.code)){throw error;}
answers = [error];}
const remaining = answers[Symbol.iterator]();return read.map((item) => (item instanceof Blob ? remaining.next().value : item));}
#limits(options){return{timeout: options.timeout ?? this.#timeout, signal: options.signal };}
}
const OF_AN_IMAGE = new Set([
"unsupported_image_format","invalid_image","image_too_large","body_too_large","inference_failed","deadline_exceeded",]);function classifyRequest(images, options){const [first] = images;if (first === undefined){throw new InvalidArgument("no image was given; give at least one");}
const request ={method: "POST", path: "classify", query: queryOf(options) };if (images.length === 1){return{...request, body: first, contentType: "application/octet-stream" };}
const form = new FormData();images.forEach((image) => form.append("image", image, ""));return{...request, body: form };}
function queryOf(options){const query = new URLSearchParams();const add = (name, value) =>{if (value !== undefined){query.set(name, String(value));}
};add("model", options.model);add("version", options.version);add("top_k", options.topK);add("min_score", options.minScore);add("include", options.include?.join(","));add("coverage", options.coverage);add("class_index", options.classIndex);add("opacity", options.opacity);add("priority", options.priority);return query;}
async function* groups(images, mostImages, mostBytes){let group = [];let bytes = 0;for await (const image of images){const size = image instanceof Blob ? image.size : image.byteLength;if (group.length === mostImages || (group.length > 0 && bytes + size > mostBytes)){yield group;group = [];bytes = 0;}
group.push(image);bytes += size;}
if (group.length > 0){yield group;}
}
function nameOf(image){return image instanceof Blob && "name" in image ? String(image.name) : undefined;}
async function bytesOf(image){let bytes;if (image instanceof Blob){try{bytes = await image.arrayBuffer();}
catch (error){throw new UnreadableImage("the image could not be read",{cause: error });}
}
else if (image instanceof ArrayBuffer || ArrayBuffer.isView(image)){bytes = image;}
else{throw new InvalidArgument("an image is a Blob, an ArrayBuffer or a Uint8Array of encoded bytes");}
if (bytes.byteLength === 0){throw new UnreadableImage("the image is empty");}
return new Blob([bytes]);}
function asImageError(error){if (error instanceof ImageError){return error;}
throw error;}
function pause(seconds, signal){return new Promise((resolve, reject) =>{const leave = () =>{clearTimeout(timer);reject(signal?.reason);};const timer = setTimeout(() =>{signal?.removeEventListener("abort", leave);resolve();}, seconds * 1000);signal?.addEventListener("abort", leave,{once: true });});}
