"use strict";
// Shows what is believed of a number while it is typed. Without this script the form shows it when it is sent.
function wayIn() {
  const told = document.createElement("span");
  const link = document.createElement("a");
  link.href = `/sign-in?${new URLSearchParams({ next: location.pathname })}`;
  link.target = "_blank";
  link.rel = "noopener";
  link.textContent = "sign in in a new window";
  told.append("You are signed in no more: ", link, ", and come back to this one. What you typed stays.");
  return told;
}

for (const shown of document.querySelectorAll(".believed")) {
  const input = document.getElementById(shown.dataset.of);
  const asked = input.defaultValue;
  const first = shown.innerHTML;
  let going = null;
  let waits;

  async function ask() {
    going?.abort();
    if (input.value === asked) {
      shown.innerHTML = first;
      return;
    }
    going = new AbortController();
    try {
      const answer = await fetch(`${shown.dataset.address}&${new URLSearchParams({ text: input.value })}`, { signal: going.signal });
      if (answer.ok) shown.innerHTML = await answer.text();
      else if (answer.status === 401) shown.replaceChildren(wayIn());
      else shown.textContent = "";
    } catch (error) {
      if (error.name !== "AbortError") shown.textContent = "";
    }
  }
  input.addEventListener("input", () => {
    clearTimeout(waits);
    waits = setTimeout(ask, 150);
  });
}
