"use strict";
// Redraws what is explored while its controls move. Without this script the form is sent by its button.
(() => {
  const form = document.getElementById("controls");
  const figure = document.getElementById("explored-figure");
  const told = document.getElementById("told");
  const carried = document.querySelectorAll(".carried");
  let asked = null;
  let again = false;

  const short = (number) =>
    number.toLocaleString("en", Math.abs(number) < 1000 ? { maximumSignificantDigits: 4 } : { maximumFractionDigits: 0 });

  // Where a slider stands, as the page said it before it was moved: of a factor with what comes of it.
  function stands(value, { of, unit, times }) {
    if (of !== undefined) return `${short(Number(of))} × ${short(value)} = ${short(value * of)} ${unit}`.trimEnd();
    return times === undefined ? short(value) : `× ${short(value)}`;
  }

  // A slider takes any number, so that it stands exactly where a scenario, a link or the calibration has it; by hand it
  // moves in steps, and past where it stood as calibrated.
  function stepped({ min, max, dataset }, value) {
    const step = Number(dataset.step);
    const baseline = dataset.baseline === undefined ? NaN : Number(dataset.baseline);
    if (Math.abs(value - baseline) < step / 2) return baseline;
    const nearest = Number((Math.round(value / step) * step).toPrecision(12));
    return Math.min(Math.max(nearest, Number(min)), Number(max));
  }

  // Browsers keep fifteen digits of a slider's value, which is not all of it; one that nobody moved says what it was.
  function query() {
    const said = new FormData(form);
    for (const slider of form.querySelectorAll("input[data-stands]")) said.set(slider.name, slider.dataset.stands);
    return new URLSearchParams(said);
  }

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
      told.textContent =
        `The site does not answer (${error.message}). What you set stays: move it once more in a moment. Where nothing ` +
        "comes, see whether the site still runs; on your own machine modelworks serve starts it.";
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
      control.value = stepped(control, Number(control.value));
      delete control.dataset.stands;
      for (const each of control.closest(".control").querySelectorAll("output, .products [data-of]"))
        each.textContent = stands(Number(control.value), each.dataset);
      const sets = form.querySelector(`[data-sets="${control.id}"]`);
      if (sets) sets.checked = true;
    }
    ask();
  });
  const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
  // How far a key moves a slider that takes any number, each browser has its own mind about.
  form.addEventListener("keydown", (event) => {
    const slider = event.target;
    if (slider.type !== "range" || !(event.key in steps)) return;
    event.preventDefault();
    slider.value = stepped(slider, Number(slider.value) + steps[event.key] * Number(slider.dataset.step));
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  ask();
})();
