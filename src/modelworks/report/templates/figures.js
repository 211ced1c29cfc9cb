"use strict";
// Puts an interactive drawing in the place of each picture. A figure that can not be drawn keeps its picture.
(async () => {
  const refused = () => Promise.reject(new Error("this page fetches nothing"));
  // Vega-Lite writes the ends of a time axis as `datetime(milliseconds)`. The interpreter takes a single argument for
  // a year, unlike the compiler, and the axis is lost; the number alone means the same to both.
  const expressions = new Set(["signal", "expr", "test", "update"]);
  const moments = /\bdatetime\((-?\d+(?:\.\d+)?)\)/g;
  const undated = (key, value) =>
    expressions.has(key) && typeof value === "string" ? value.replace(moments, "$1") : value;

  const options = {
    renderer: "svg",
    actions: false,
    // Expressions are interpreted instead of compiled, so that the page needs no permission to run made-up code.
    ast: true,
    patch: (spec) => window.timeShown.prepare(JSON.parse(JSON.stringify(spec), undated)),
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
    loader: { load: refused, sanitize: refused, http: refused, file: refused },
  };
  // Other scripts of ours draw in the same way.
  window.figureOptions = options;

  // A report holds its figures; the website sends each by itself.
  async function specsOf(figure) {
    if (!figure.dataset.source) return JSON.parse(document.getElementById(figure.dataset.specs).textContent);
    const answer = await fetch(figure.dataset.source);
    if (!answer.ok) throw new Error(`the site answered ${answer.status}`);
    return answer.json();
  }

  // Of many panels the first ones are enough to judge by; a phone would scroll for a minute past the others.
  const [MANY, FIRST] = [8, 6];

  async function draw(figure) {
    const place = figure.querySelector(".live");
    figure.classList.add("is-drawing");
    try {
      const specs = await specsOf(figure);
      const first = specs.length > MANY ? specs.slice(0, FIRST) : specs;
      await drawPanels(place, first);
      place.setAttribute("role", "img");
      place.setAttribute("aria-label", figure.querySelector(".still").alt);
      if (first !== specs) place.after(moreOf(place, specs));
      figure.classList.add("is-live");
    } catch (error) {
      place.replaceChildren();
      figure.classList.remove("drawn-later", "long");
      console.error(`${figure.id}: ${error.message}`);
    }
    figure.classList.remove("is-drawing");
  }

  async function drawPanels(place, specs) {
    // All panels stand before the first is drawn, for each takes its width from the columns they share.
    const panels = specs.map(() => place.appendChild(document.createElement("div")));
    for (const [k, panel] of panels.entries()) {
      panel.className = "panel";
      // What is drawn is one picture, whose words are those of the still one.
      panel.setAttribute("aria-hidden", "true");
      window.timeShown.add(panel, await window.vegaEmbed(panel, specs[k], options));
    }
  }

  function moreOf(place, specs) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "more", textContent: `Show all ${specs.length} panels` });
    button.addEventListener("click", async () => {
      button.disabled = true;
      await drawPanels(place, specs.slice(FIRST));
      button.remove();
    });
    return button;
  }

  // The picture at twice its size, sharp enough for a slide.
  async function save(figure) {
    const still = figure.querySelector(".still");
    const canvas = document.createElement("canvas");
    const image = new Image();
    image.src = still.src;
    await image.decode();
    canvas.width = 2 * (still.getAttribute("width") ?? image.naturalWidth);
    canvas.height = 2 * (still.getAttribute("height") ?? image.naturalHeight);
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    const link = document.createElement("a");
    link.href = canvas.toDataURL("image/png");
    link.download = `${figure.id.replace(/^figure-/, "")}.png`;
    link.click();
  }

  const figures = [...document.querySelectorAll("figure[data-specs]")];
  for (const figure of figures) {
    const button = figure.querySelector("button.save");
    // The website has links that save it, which work without this script.
    if (!button) continue;
    button.hidden = false;
    button.addEventListener("click", () => save(figure));
  }
  for (const figure of figures) {
    await draw(figure);
    // A breath between two figures keeps the page scrolling while they appear.
    await new Promise((resume) => setTimeout(resume));
  }
  document.documentElement.dataset.figures = "drawn";
})();
