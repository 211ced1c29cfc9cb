"use strict";
// Redraws what is explored while its controls move. Without this script the form is sent by its button.
(() => {
  const form = document.getElementById("controls");
  const figure = document.getElementById("explored-figure");
  const told = document.getElementById("told");
  const carried = document.querySelectorAll(".carried");
  let asked = null;
  let again = false;

  const short = (number) => number.toLocaleString("en", { maximumSignificantDigits: 4 });

  // Where a slider stands, as the page said it before it was moved: of a factor with what comes of it.
  function stands(value, { of, unit }) {
    if (of === undefined) return short(value);
    return of ? `${short(Number(of))} × ${short(value)} = ${short(value * of)} ${unit}` : `× ${short(value)}`;
  }

  const query = () => new URLSearchParams(new FormData(form));

  async function draw(panels) {
    const drawn = document.createElement("div");
    drawn.className = "live";
    drawn.dataset.columns = "1";
    // The table beside it says the same in words.
    drawn.setAttribute("aria-hidden", "true");
    figure.querySelector(".live").after(drawn);
    for (const spec of panels) {
      const panel = drawn.appendChild(document.createElement("div"));
      panel.className = "panel";
      await window.vegaEmbed(panel, spec, window.figureOptions);
    }
    // The former drawing stays until this one stands.
    for (const former of figure.querySelectorAll(".live")) if (former !== drawn) former.remove();
    figure.classList.add("is-live");
  }

  function carry(said) {
    const kept = [...said].filter(([name]) => name !== "all");
    for (const each of carried) {
      each.replaceChildren(
        ...kept.map(([name, value]) => Object.assign(document.createElement("input"), { type: "hidden", name, value })),
      );
    }
  }

  // One question at a time: what moved meanwhile is asked when the answer has come.
  async function ask() {
    if (asked) {
      again = true;
      return;
    }
    const said = query();
    asked = said;
    try {
      const answer = await fetch(`${form.dataset.answer}?${said}`, { headers: { accept: "application/json" } });
      const found = await answer.json();
      if (answer.ok) {
        history.replaceState(null, "", `?${said}`);
        told.innerHTML = found.told;
        carry(said);
        await draw(found.panels);
        document.documentElement.dataset.explored = String(found.seconds);
      } else {
        told.textContent = found.mistakes.map((each) => each.message).join(" ");
      }
    } catch (error) {
      told.textContent = `The site does not answer: ${error.message}`;
    }
    asked = null;
    if (again) {
      again = false;
      ask();
    }
  }

  form.addEventListener("input", (event) => {
    const control = event.target;
    if (control.type === "range") {
      const output = control.parentElement.querySelector("output");
      output.value = stands(Number(control.value), output.dataset);
      const sets = form.querySelector(`[data-sets="${control.id}"]`);
      if (sets) sets.checked = true;
    }
    ask();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  ask();
})();
