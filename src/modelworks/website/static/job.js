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
  let place = live.dataset.place;

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
    if (searching && !said.line.toLowerCase().includes(searching.toLowerCase())) return;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append(`${said.line}\n`);
    if (atEnd) log.scrollTop = log.scrollHeight;
  });
  source.addEventListener("state", (event) => {
    const said = JSON.parse(event.data);
    document.getElementById("now").textContent = said.state === "waiting" ? "Waiting" : "Under way";
    if (said.over) {
      source.close();
      location.reload();
    }
  });
  // Where the site does not take more readers of this kind, the page is renewed as a whole.
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 10000);
  });
  log.scrollTop = log.scrollHeight;
})();
