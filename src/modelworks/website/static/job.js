"use strict";
// Adds each line of a job's log as it comes. The browser names the last place it heard of when it comes back, so that
// nothing is missed; what it hears twice stands at a place it has seen, and is left out.
(() => {
  const live = document.getElementById("live");
  const log = document.getElementById("log");
  const bar = live.querySelector("progress");
  const words = document.getElementById("words");
  const mixing = document.getElementById("mixing");
  const searching = new URLSearchParams(location.search).get("search");
  const stages = document.getElementById("stages");
  const lost = document.getElementById("lost");
  const told = document.getElementById("told");
  let place = live.dataset.place;
  let count = Number(log.dataset.count);

  const made = (tag, fields, ...inside) => {
    const element = Object.assign(document.createElement(tag), fields);
    element.append(...inside);
    return element;
  };

  // A part of the log that lines are added to from now on.
  function part(title) {
    for (const each of log.querySelectorAll("details")) each.open = false;
    const summary = made("summary", {}, title ? title[0].toUpperCase() + title.slice(1) : "Before the first stage");
    log.append(made("details", { open: true, id: title && `in-${title}` }, summary, made("pre", {})));
  }

  // The row of stages: what was under way is done, and this one begins.
  function enter(said) {
    if (!stages.children.length) {
      for (const name of said.of) {
        const title = made("strong", {}, name[0].toUpperCase() + name.slice(1));
        const step = made("a", { className: "step waiting", href: `#in-${name}` }, title, " ", made("span", { className: "took" }, "to come"));
        stages.append(made("li", {}, step));
        stages.lastChild.dataset.stage = name;
      }
    }
    const time = Date.parse(said.time);
    for (const each of stages.querySelectorAll(".step.running")) {
      mark(each, "done", spoken((time - Date.parse(each.dataset.began)) / 1000));
    }
    const now = stages.querySelector(`[data-stage="${CSS.escape(said.stage)}"] .step`);
    if (!now) return;
    now.dataset.began = said.time;
    mark(now, said.kept ? "kept" : "running", said.kept ? "kept" : "under way");
  }

  function spoken(seconds) {
    const whole = Math.max(1, Math.round(seconds));
    return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
  }

  function mark(step, state, words) {
    step.className = `step ${state}`;
    step.querySelector(".took").textContent = words;
  }

  function add(line) {
    count += 1;
    if (searching && !line.toLowerCase().includes(searching.toLowerCase())) return;
    const link = made("a", { href: `?line=${count}#L${count}`, tabIndex: -1, ariaLabel: `Line ${count}` }, String(count));
    if (!log.lastElementChild) part("");
    log.lastElementChild.querySelector("pre").append(made("span", { className: "line", id: `L${count}` }, link, `${line}\n`));
  }

  const source = new EventSource(`${live.dataset.events}?place=${encodeURIComponent(place)}`);
  source.addEventListener("said", (event) => {
    if (event.lastEventId === place) return;
    place = event.lastEventId;
    const said = JSON.parse(event.data);
    if (said.line === undefined) {
      if (said.share === null) bar.removeAttribute("value");
      else bar.value = said.share;
      words.textContent = said.words;
      return;
    }
    if (said.mixing) {
      mixing.textContent = said.line.slice(10);
    } else {
      bar.removeAttribute("value");
      words.textContent = said.line.slice(10);
    }
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    if (said.begun) {
      stages.replaceChildren();
      for (const each of log.children) each.removeAttribute("id");
      if (log.children.length) part("");
    }
    if (said.stage) {
      enter(said);
      part(said.stage);
    }
    add(said.line);
    if (atEnd) log.scrollTop = log.scrollHeight;
  });
  source.addEventListener("state", (event) => {
    const said = JSON.parse(event.data);
    document.getElementById("now").textContent = said.state === "waiting" ? "Waiting" : "Under way";
    const badge = document.querySelector(".byline .state");
    badge.className = `state ${said.state}`;
    badge.textContent = said.state[0].toUpperCase() + said.state.slice(1);
    if (said.over) {
      source.close();
      location.reload();
    } else if (said.state !== told.dataset.state) {
      told.dataset.state = said.state;
      tellAnew();
    }
  });

  // What happened to it is told in the words of the page, as it is by now.
  async function tellAnew() {
    const fresh = (await page())?.getElementById("told");
    if (fresh) told.replaceChildren(...fresh.childNodes);
  }

  // The page as it is now; null where the site does not answer.
  async function page() {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
    } catch {
      // Also where the reader goes to another page meanwhile.
      return null;
    }
  }

  // A stream ends and comes back now and then; only one that stays away for some seconds is told of.
  let waiting = null;
  source.addEventListener("open", () => {
    clearTimeout(waiting);
    waiting = null;
    lost.textContent = "";
  });
  source.addEventListener("error", () => {
    waiting ??= setTimeout(() => {
      lost.textContent = "No connection to the site. The job is not touched by that, and this page goes on by itself.";
    }, 5000);
    if (source.readyState === EventSource.CLOSED) setTimeout(renew, 10000);
  });

  // Where the site does not take more readers of this kind, the page is renewed as a whole, once there is one.
  async function renew() {
    if (await page()) location.reload();
    else setTimeout(renew, 10000);
  }
  if (!new URLSearchParams(location.search).get("line")) log.scrollTop = log.scrollHeight;
})();
