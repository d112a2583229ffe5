/** Drawn examples, for a visitor without a photo. */

export async function showExamples(take) {
  const answer = await fetch("demo/examples.json");
  const names = answer.ok ? await answer.json() : [];
  const list = document.getElementById("examples-list");
  for (const { file, label } of names) {
    const [entry, button, image] = ["li", "button", "img"].map((tag) => document.createElement(tag));
    image.src = `demo/${file}`;
    image.alt = `Classify a drawn ${label}`;
    image.width = 104;
    image.height = 78;
    button.type = "button";
    button.append(image);
    button.addEventListener("click", async () => {
      const drawn = await (await fetch(image.src)).blob();
      take([new File([drawn], file.split("/").pop(), { type: drawn.type })]);
    });
    entry.append(button);
    list.append(entry);
  }
  document.getElementById("examples").hidden = !names.length;
}
