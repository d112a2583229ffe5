import{ConnectionFailed, errorOfCode, ServiceError, TimedOut, Unavailable, UnexpectedAnswer, } from "./errors.js";export async function readBatch(response, names, attempts){const body = await readObject(response);const model = modelOf(get(body, "model", "object"));const requestId = response.headers.get("x-request-id") ?? "";const items = get(body, "results", "array");if (items.length !== names.length){throw new UnexpectedAnswer(`${names.length} images were sent, ${items.length} results came back`);}
const timing = timingOf(response.headers.get("server-timing") ?? "");const results = items.map((value, index) =>{const item = asObject(value);if (item["error"] !== undefined){const error = errorOf(get(item, "error", "object"));error.requestId = requestId;error.attempts = attempts;return error;}
return{name: names[index],model,predictions: get(item, "predictions", "array").map((entry) => predictionOf(asObject(entry))),crop: cropOf(item["crop"]),embedding: item["embedding"],predictionSet: setOf(item),index: get(item, "index", "number"),rejected: item["rejected"] === true,reason: item["reason"],excitations: item["excitations"],requestId,timing,};});return{model, results, requestId, attempts };}
export async function readModels(response){const body = await readObject(response);return get(body, "models", "array").map((item) =>{const value = asObject(item);const size = get(value, "input", "object");return{...modelOf(value),architecture: get(value, "architecture", "string"),provider: get(value, "provider", "string"),height: get(size, "height", "number"),width: get(size, "width", "number"),labels: get(value, "labels", "number"),exifTranspose: value["exif_transpose"] !== false,outputs: (value["outputs"] ?? []),};});}
export async function readClassGates(response){const body = await readObject(response);return{label: get(body, "label", "string"),dataset: get(body, "dataset", "string"),photos: get(body, "photos", "number"),blocks: get(body, "blocks", "object"),};}
export async function readFeedback(response){const [result] = get(await readObject(response), "results", "array");return asObject(result)["right"] === true;}
export async function readError(response){const problem = await readProblem(response);const after = retryAfter(response.headers.get("retry-after"));if (problem === undefined){return foreignError(response, after);}
const code = String(problem["code"]);if (code === "not_found" || code === "method_not_allowed"){return new UnexpectedAnswer(`${response.url} is not part of the service's API`);}
const error = errorOfCode(code, `${problem["title"] ?? code}: ${problem["detail"] ?? ""}`);if (typeof problem["request_id"] === "string"){error.requestId = problem["request_id"];}
if (error instanceof ServiceError){error.status = response.status;error.retryAfterSeconds = after;}
return error;}
async function readProblem(response){try{const body = await response.json();return isObject(body) && typeof body["code"] === "string" ? body : undefined;}
catch{return undefined;}
}
function foreignError(response, after){const{status } = response;const told = `${response.url} answered ${status} ${response.statusText}`;if (status === 502){return new ConnectionFailed(`${told}: no service behind the gateway`);}
if (status === 504){return new TimedOut(told);}
if (status === 429 || status === 503){const error = new Unavailable(told);error.code = "unavailable";error.status = status;error.retryAfterSeconds = after;return error;}
return new UnexpectedAnswer(`${told}, which is not an answer of the service's API`);}
function retryAfter(text){if (text === null){return undefined;}
if (/^\d+$/.test(text.trim())){return Number(text);}
const date = Date.parse(text);return Number.isNaN(date) ? undefined : Math.max(0, (date - Date.now()) / 1000);}
function timingOf(header){const found = [...header.matchAll(/([\w-]+);dur=([\d.]+)/g)];return Object.fromEntries(found.map((match) => [match[1], Number(match[2])]));}
function errorOf(told){return errorOfCode(get(told, "code", "string"), `${told["title"]}: ${told["detail"]}`);}
function predictionOf(value){return{rank: get(value, "rank", "number"),classIndex: get(value, "class_index", "number"),id: get(value, "id", "string"),label: get(value, "label", "string"),score: get(value, "score", "number"),cam: value["cam"],};}
function setOf(item){if (item["prediction_set"] === undefined){return undefined;}
return get(item, "prediction_set", "array").map((member) =>{const value = asObject(member);return{classIndex: get(value, "class_index", "number"),id: get(value, "id", "string"),label: get(value, "label", "string"),score: get(value, "score", "number"),};});}
function cropOf(value){if (value === undefined){return undefined;}
if (!Array.isArray(value) || value.length !== 4 || !value.every(Number.isFinite)){throw new UnexpectedAnswer("the answer's crop is not four numbers");}
return value;}
function modelOf(value){return{name: get(value, "name", "string"),version: get(value, "version", "string"),precision: get(value, "precision", "string"),digest: get(value, "digest", "string"),preprocessing: get(value, "preprocessing", "string"),};}
async function readObject(response){try{return asObject(await response.json());}
catch (error){if (error instanceof SyntaxError){throw new UnexpectedAnswer(`${response.url} did not answer with JSON`,{cause: error });}
throw error;}
}
function get(value, name, kind){const found = value[name];const isRight = kind === "array"
? Array.isArray(found)
: kind === "object"
? isObject(found)
: typeof found === kind;if (!isRight){throw new UnexpectedAnswer(`the answer has no usable ${JSON.stringify(name)}; does the service speak this client's API?`);}
return found;}
function isObject(value){return typeof value === "object" && value !== null && !Array.isArray(value);}
function asObject(value){if (!isObject(value)){throw new UnexpectedAnswer("the answer is not a JSON object");}
return value;}
