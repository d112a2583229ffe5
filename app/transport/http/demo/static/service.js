/** The service as the page sees it: its model, its key, and how waiting is told. */

import { AccessDenied, Client, ConnectionFailed, NotReady, SenetClientError } from "./client/index.js";

const KEY = "senet-api-key";
const OUTPUTS = { cam: "class_activation_map", excitations: "excitation" };

export class Service {
  constructor(onModel, onWaiting, onProblem) {
    this.onModel = onModel;
    this.onWaiting = onWaiting;
    this.onProblem = onProblem;
    this.model = null;
    this.about = {};
    this.include = ["cam"];
    this.form = document.getElementById("key-form");
    this.field = document.getElementById("key");
    this.toggle = document.getElementById("key-toggle");
    this.toggle.addEventListener("click", () => this.askForKey(this.form.hidden));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      sessionStorage.setItem(KEY, this.field.value.trim());
      this.askForKey(false);
      document.getElementById("problem").textContent = "";
      this.open();
    });
  }

  /** Asks what is served; waits while the model is loading. */
  async open() {
    try {
      const about = await fetch("demo/about.json");
      this.about = about.ok ? await about.json() : {};
      const [model] = await this.client((text) => this.onWaiting(text)).models({ timeout: 600 });
      this.model = model;
      this.include = Object.keys(OUTPUTS).filter((name) => model.outputs.some(({ meaning }) => meaning === OUTPUTS[name]));
      this.onWaiting("");
      this.onModel(model);
    } catch (error) {
      this.onWaiting("");
      this.fail(error instanceof SenetClientError ? error : new ConnectionFailed("no answer"));
    }
  }

  /** Gives the results of photos, in order; waits as the service asks, and says so. */
  classify(files, signal, tell) {
    // Of many photos nobody looks at the gates of all.
    const include = this.include.filter((name) => name === "cam" || files.length === 1);
    return this.client(tell).classifyMany(files, { include, signal, concurrency: 4, timeout: 600 });
  }

  /** The gates of a photo, and what is usual for a class; undefined where the model tells neither. */
  async gates({ file, result }, classIndex) {
    if (!this.include.includes("excitations")) return undefined;
    const client = this.client(() => undefined);
    result.excitations ??= (await client.classify(file, { topK: 1, include: ["excitations"] })).excitations;
    const usual = await client.classGates(result.model, classIndex).catch(() => undefined);
    return { excitations: result.excitations, usual };
  }

  /** Tells which class a photo really has. */
  feedback(result, classIndex) {
    const { requestId, index } = result;
    return this.client(() => undefined).feedback({ requestId, index, classIndex });
  }

  /** Tells of an error, and asks for a key where one is missing. */
  fail(error) {
    this.onProblem(error);
    if (error instanceof AccessDenied) this.askForKey(true);
  }

  askForKey(is) {
    this.form.hidden = !is;
    this.toggle.setAttribute("aria-expanded", String(is));
    if (is) this.field.focus();
  }

  get key() {
    return sessionStorage.getItem(KEY) || undefined;
  }

  client(tell) {
    const key = this.key;
    return new Client({
      baseUrl: new URL(".", location.href).href,
      ...(key ? { apiKey: key } : {}),
      // A request for each photo: one that fails is no other's matter, and the service batches.
      imagesPerRequest: 1,
      retries: { attempts: 1000, unreachable: true },
      onRetry: ({ error, pauseSeconds }) => tell(`${reason(error)} Trying again in ${pauseSeconds.toFixed(1)} s.`),
    });
  }
}

function reason(error) {
  if (error instanceof ConnectionFailed) return "The service does not answer.";
  if (error instanceof NotReady) return "The model is being loaded.";
  return "The service is busy.";
}
