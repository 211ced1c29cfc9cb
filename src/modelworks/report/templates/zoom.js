"use strict";
// The figures of a page that have time along the bottom are looked at closely together. A mouse dragged across one
// chooses a time, the wheel and dragging with Shift held make it shorter, longer or another, and two fields do the same
// by keyboard and on a phone; what has another axis stays as it is.
window.timeShown = (() => {
  const CHOSEN = "time_shown";
  const DAY = 24 * 60 * 60 * 1000;
  // A shorter drag was a click.
  const SHORTEST_DRAG = 6;
  const panels = [];
  let shown = null;
  let bar = null;

  // Has a drawing that is about to be made follow us. Marks are cut off at its edge only while there is more beyond.
  function prepare(vega) {
    const axis = (vega.scales ?? []).find((each) => each.name === "x" && ["utc", "time"].includes(each.type));
    if (!axis) return vega;
    axis.domainRaw = { signal: CHOSEN };
    vega.signals = [...(vega.signals ?? []), { name: CHOSEN, value: null }];
    for (const mark of vega.marks) mark.clip = mark.clip || { signal: `${CHOSEN} !== null` };
    vega.usermeta = { ...vega.usermeta, followsTime: true };
    return vega;
  }

  function add(element, { view, vgSpec }) {
    if (!vgSpec.usermeta?.followsTime) return;
    const panel = { element, view, whole: view.scale("x").domain().map(Number), told: null };
    panels.push(panel);
    element.classList.add("over-time");
    bar ??= madeBefore(element);
    const [from, to] = ends();
    for (const field of [bar.from, bar.to]) Object.assign(field, { min: asDay(from), max: asDay(to) });
    if (!shown) tell();
    element.addEventListener("wheel", (event) => event.shiftKey && turned(panel, event), { passive: false });
    element.addEventListener("pointerdown", (event) => pressed(panel, event));
    element.addEventListener("dblclick", () => show(null));
    seen.observe(element);
    follow(panel);
  }

  const ends = () => [Math.min(...panels.map((each) => each.whole[0])), Math.max(...panels.map((each) => each.whole[1]))];
  const asDay = (moment) => new Date(moment).toISOString().slice(0, 10);

  // Part of the time that any panel has, or all of it.
  function show(span) {
    if (span) {
      const [first, last] = ends();
      // Less than a day would be narrower than what the fields can say.
      const length = Math.max(span[1] - span[0], DAY);
      const from = Math.min(Math.max(span[0], first), Math.max(last - length, first));
      span = length < last - first ? [from, from + length] : null;
    }
    shown = span;
    tell();
    // A page has dozens of panels: what nobody sees follows when it comes into sight.
    for (const panel of panels) if (panel.isSeen) follow(panel);
  }

  // What a panel has of the time that is shown; one that has none of it stays whole.
  function follow(panel) {
    const [from, to] = panel.whole;
    const part = shown && [Math.max(from, shown[0]), Math.min(to, shown[1])];
    const wanted = part && part[0] < part[1] && part[1] - part[0] < to - from ? part : null;
    if (String(wanted) === String(panel.told)) return;
    panel.told = wanted;
    panel.view.signal(CHOSEN, wanted).runAsync();
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const panel = panels.find((each) => each.element === entry.target);
      panel.isSeen = entry.isIntersecting;
      if (panel.isSeen) follow(panel);
    }
  });

  const now = (panel) => panel.told ?? panel.whole;
  const area = (panel) => panel.element.querySelector(".role-frame .background").getBoundingClientRect();

  function momentAt(panel, x) {
    const [{ left, width }, [from, to]] = [area(panel), now(panel)];
    return from + Math.min(Math.max((x - left) / width, 0), 1) * (to - from);
  }

  function turned(panel, event) {
    event.preventDefault();
    // With Shift held some systems turn the wheel sideways.
    const factor = Math.exp(0.0015 * (event.deltaY || event.deltaX));
    const [[from, to], middle] = [now(panel), momentAt(panel, event.clientX)];
    show([middle - factor * (middle - from), middle + factor * (to - middle)]);
  }

  function pressed(panel, event) {
    // A finger scrolls the page.
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    event.preventDefault();
    const [began, [from, to], { left, width }] = [event.clientX, now(panel), area(panel)];
    const isMoved = event.shiftKey;
    const mark = panel.element.appendChild(document.createElement("div"));
    mark.className = "chosen-time";
    const { left: edge } = panel.element.getBoundingClientRect();
    const within = (x) => Math.min(Math.max(x, left), left + width);
    const move = ({ clientX }) => {
      if (isMoved) {
        const by = ((began - clientX) / width) * (to - from);
        show([from + by, to + by]);
      } else {
        const [low, high] = [within(Math.min(began, clientX)), within(Math.max(began, clientX))];
        mark.style.left = `${low - edge + panel.element.scrollLeft}px`;
        mark.style.width = `${high - low}px`;
      }
    };
    const stop = new AbortController();
    const release = ({ type, clientX }) => {
      stop.abort();
      mark.remove();
      if (type === "pointercancel" || isMoved || Math.abs(clientX - began) < SHORTEST_DRAG) return;
      show([began, clientX].map((x) => momentAt(panel, x)).sort((a, b) => a - b));
    };
    window.addEventListener("pointermove", move, { signal: stop.signal });
    for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, release, { signal: stop.signal });
  }

  // The fields stand above the first figure that follows them, and stay in sight while not all is shown.
  function madeBefore(element) {
    const form = document.createElement("form");
    form.className = "time-shown";
    form.setAttribute("aria-label", "Time shown in the figures");
    const field = (words) => {
      const label = form.appendChild(document.createElement("label"));
      const input = Object.assign(document.createElement("input"), { type: "date", required: true });
      label.append(words, input);
      return input;
    };
    const [from, to] = [field("From"), field("to")];
    const all = Object.assign(document.createElement("button"), { type: "button", textContent: "Show all" });
    const note = Object.assign(document.createElement("span"), {
      className: "note",
      textContent: "is what the figures over time show. Or drag across one: the others follow.",
    });
    form.append(all, note);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", chosen);
    all.addEventListener("click", () => {
      // A button that is off can not keep the focus.
      from.focus();
      show(null);
    });
    (element.closest("section") ?? element.closest("figure")).before(form);
    return { form, from, to, all };
  }

  function chosen() {
    const { form, from, to } = bar;
    // The last day is shown to its last moment.
    const span = [from.valueAsNumber, to.value === to.max ? ends()[1] : to.valueAsNumber];
    to.setCustomValidity(span[0] >= span[1] ? "It ends before it begins." : "");
    if (form.reportValidity()) show(span);
  }

  function tell() {
    const [from, to] = shown ?? ends();
    bar.from.value = asDay(from);
    bar.to.value = asDay(to);
    bar.to.setCustomValidity("");
    bar.all.disabled = shown === null;
    bar.form.classList.toggle("is-part", shown !== null);
  }

  return { prepare, add };
})();
