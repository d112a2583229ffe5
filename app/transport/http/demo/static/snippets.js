/** Programs that do what the page does. */

const find = (id) => document.getElementById(id);

export function showSnippets(model, { about, include }) {
  const base = new URL(".", location.href).href.replace(/\/$/, "");
  const made = snippets(base, model, about, include);
  const tabs = Object.keys(made).map((name, index) => {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.id = `tab-${index}`;
    tab.textContent = name;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", "snippet");
    tab.addEventListener("click", () => choose(tab));
    return tab;
  });
  function choose(tab) {
    for (const other of tabs) {
      other.setAttribute("aria-selected", String(other === tab));
      other.tabIndex = other === tab ? 0 : -1;
    }
    find("snippet").setAttribute("aria-labelledby", tab.id);
    find("snippet-text").textContent = made[tab.textContent];
  }
  find("tabs").replaceChildren(...tabs);
  find("tabs").onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length];
    choose(next);
    next.focus();
  };
  choose(tabs[0]);
}

find("copy").addEventListener("click", async () => {
  const text = find("snippet-text");
  try {
    await navigator.clipboard.writeText(text.textContent);
    find("copy").textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(text); // a page that came over plain HTTP may not write there
    find("copy").textContent = "Selected: copy it";
  }
  setTimeout(() => (find("copy").textContent = "Copy"), 2000);
});

function snippets(base, model, about, include) {
  const list = JSON.stringify(include);
  const made = {
    curl: `curl -H 'Content-Type: application/octet-stream' --data-binary @photo.jpg \\
  '${base}/classify?top_k=5&include=${include}'`,
    Python: `from senet_client import Client

with Client("${base}") as client:
    answer = client.classify("photo.jpg", top_k=5, include=${list})
for prediction in answer.predictions:
    print(f"{prediction.score:.3f} {prediction.label}")`,
    JavaScript: `import { readFile } from "node:fs/promises";
import { Client } from "senet-client";

const client = new Client({ baseUrl: "${base}" });
const photo = await readFile("photo.jpg");
const answer = await client.classify(photo, { topK: 5, include: ${list} });
for (const { score, label } of answer.predictions) console.log(score.toFixed(3), label);`,
  };
  if (about.open_inference_protocol) {
    made["Open Inference Protocol"] = `import numpy as np
import tritonclient.http as triton

with open("photo.jpg", "rb") as file:
    photo = np.array([file.read()], dtype=object)
image = triton.InferInput("image", [1], "BYTES")
image.set_data_from_numpy(photo)
scores = triton.InferRequestedOutput("scores", class_count=5)
client = triton.InferenceServerClient("${location.host}")
print(client.infer("${model.name}", [image], outputs=[scores]).as_numpy("scores"))`;
  }
  return made;
}
