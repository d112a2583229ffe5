/** The page: what comes in is classified, and what came of it is shown. */

import { showAnswer, terms } from "./answer.js";
import { watchIntake } from "./intake.js";
import { showExamples } from "./examples.js";
import { Service } from "./service.js";
import { showSnippets } from "./snippets.js";
import { Table } from "./table.js";

const status = document.getElementById("status");
const problem = document.getElementById("problem");
const service = new Service(tellModel, tellWaiting, tellProblem);
const table = new Table((item) => item.result && showAnswer(item, service));
let running = null;

function tellModel(model) {
  document.getElementById("docs").hidden = !service.about.docs;
  document.getElementById("served").textContent =
    `${model.name}, version ${model.version}: tells ${model.labels} classes apart,` +
    ` ${model.precision} on ${model.provider}`;
  const facts = document.getElementById("facts");
  const input = `${model.width} × ${model.height} pixels`;
  facts.replaceChildren(...terms(Object.entries({
    Model: model.name, Version: model.version, Architecture: model.architecture, Input: input,
    Precision: model.precision, Runs: `on ${model.provider}`, File: model.digest,
    Preprocessing: model.preprocessing,
  })));
  showSnippets(model, service);
}

function tellWaiting(text) {
  status.replaceChildren(text);
}

function tellProblem(error) {
  const id = error.requestId ? `\nRequest ${error.requestId}` : "";
  problem.textContent = error.message + id;
}

/** Classifies photos, instead of those that are being classified. */
async function classify(files) {
  running?.abort();
  const mine = (running = new AbortController());
  problem.textContent = "";
  document.getElementById("answer").hidden = true;
  const items = files.map((file) => ({ file, name: file.name || "pasted photo", result: null }));
  table.show(items);
  const cancel = document.createElement("button");
  cancel.type = "button";
  cancel.textContent = "Cancel";
  cancel.addEventListener("click", () => mine.abort());
  const tell = (text) => status.replaceChildren(text, cancel);
  let done = 0;
  const progress = () =>
    tell(files.length > 1 ? `${done} of ${files.length} photos` : `Classifying ${items[0].name} …`);
  progress();
  try {
    for await (const result of service.classify(files, mine.signal, tell)) {
      const item = items[done];
      [item.result, done] = [result, done + 1];
      if (mine.signal.aborted) return;
      progress();
      if (files.length > 1) await table.update(item);
      else if (result instanceof Error) service.fail(result);
      else await showAnswer(item, service);
    }
    const failed = items.filter((item) => item.result instanceof Error).length;
    const sum = failed ? `${done} photos, ${failed} of them could not be classified` : `${done} photos`;
    status.textContent = files.length > 1 ? `Done: ${sum}.` : "";
  } catch (error) {
    if (running !== mine) return;
    status.textContent = mine.signal.aborted && files.length > 1 ? `Cancelled after ${done} photos.` : "";
    if (!mine.signal.aborted) service.fail(error);
  }
}

watchIntake(classify, (error) => service.fail(error));
showExamples(classify);
service.open();
