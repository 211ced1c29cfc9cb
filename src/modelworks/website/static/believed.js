"use strict";
// Shows what is believed of a number while it is typed. Without this script the form shows it when it is sent.
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
    } catch (error) {
      if (error.name !== "AbortError") shown.textContent = "";
    }
  }
  input.addEventListener("input", () => {
    clearTimeout(waits);
    waits = setTimeout(ask, 150);
  });
}
