/** The gates of the SE blocks: a photo's, and what is usual for a class. */

const [WIDTH, HEIGHT, MOST] = [300, 80, 6];
const find = (id) => document.getElementById(id);

/** Draws a plot for each stage, and names what stands out; `usual` may be missing. */
export function showGates(excitations, usual) {
  const all = Object.entries(excitations).flatMap(([block, gates]) => {
    const { mean = [], spread = [] } = usual?.blocks[block] ?? {};
    return gates.map((gate, channel) => {
      const apart = Math.abs(gate - mean[channel]);
      // Beyond what nearly all photos of the class do, and by enough to matter.
      return { block, channel, gate, mean: mean[channel], apart, odd: apart > Math.max(0.1, 2 * spread[channel]) };
    });
  });
  const stages = new Map();
  for (const one of all) {
    const stage = one.block.replace(/\.[^.]*$/, "");
    if (!stages.has(stage)) stages.set(stage, []);
    stages.get(stage).push(one);
  }
  find("stages").replaceChildren(...[...stages].map(([name, gates]) => plot(name, gates)));
  const odd = all.filter((one) => one.odd).sort((a, b) => b.apart - a.apart);
  const told = usual
    ? ` Dots: this photo; line: the mean over ${usual.photos} photos of the class ${usual.label}, which orders the` +
      ` channels. ${odd.length} of ${all.length} channels stand out${odd.length ? ", these most:" : "."}`
    : "";
  find("gates-hint").textContent = `Each block scales its channels by gates between 0 and 1.${told}`;
  find("odd").replaceChildren(...odd.slice(0, MOST).map(({ block, channel, gate, mean }) => {
    const entry = document.createElement("li");
    entry.textContent = `${block}, channel ${channel}: ${gate.toFixed(2)}, usually ${mean.toFixed(2)}`;
    return entry;
  }));
}

function plot(name, gates) {
  const ordered = [...gates].sort((a, b) => (a.mean ?? a.gate) - (b.mean ?? b.gate));
  const at = (index, gate) => `${((WIDTH * (index + 0.5)) / ordered.length).toFixed(1)} ${(2 + (HEIGHT - 4) * (1 - gate)).toFixed(1)}`;
  const dots = (odd) => ordered.map((one, index) => (one.odd === odd ? `M${at(index, one.gate)}h0` : "")).join("");
  const line = ordered.map(({ mean }, index) => (mean === undefined ? "" : `${index ? "L" : "M"}${at(index, mean)}`)).join("");
  const count = ordered.filter((one) => one.odd).length;
  const paths = Object.entries({ dots: dots(false), "dots odd": dots(true), mean: line });
  const figure = document.createElement("figure");
  // Numbers of our own; names are set as text.
  figure.innerHTML = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">${paths
    .map(([kind, d]) => `<path class="${kind}" d="${d}"/>`)
    .join("")}</svg><figcaption></figcaption>`;
  figure.firstChild.setAttribute("aria-label", `Gates of ${name}: ${count} of ${ordered.length} channels stand out`);
  figure.lastChild.textContent = `${name}, ${ordered.length} channels`;
  return figure;
}
