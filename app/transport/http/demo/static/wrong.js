/** Tells the service which class a photo really has. */

const find = (id) => document.getElementById(id);
let current = null;

/** Offers it for an answer, where the service keeps answers; `chosen` gives the class chosen in the list. */
export function offerFeedback(result, chosen, service) {
  current = { result, chosen, service };
  find("feedback").hidden = !service.about.feedback;
  find("wrong").disabled = false;
  find("feedback-told").textContent = "";
}

find("wrong").addEventListener("click", async () => {
  const mine = current;
  const [{ result, chosen, service }, told] = [mine, find("feedback-told")];
  const right = chosen();
  if (!right || right === result.predictions[0]) {
    told.textContent = "Choose the right class in the list, then press again.";
    return;
  }
  find("wrong").disabled = true;
  try {
    await service.feedback(result, right.classIndex);
    if (current === mine) told.textContent = `Told: it is ${right.label}.`;
  } catch (error) {
    if (current === mine) {
      told.textContent = "";
      find("wrong").disabled = false;
    }
    service.fail(error);
  }
});
