"use strict";
// What a word means is told where it stands: under the pointer, or where one has come by keyboard. Without this script
// the browser tells it in its own way, to a pointer only.
(() => {
  const told = document.createElement("div");
  Object.assign(told, { id: "term-told", className: "term-told", hidden: true });
  told.setAttribute("role", "tooltip");
  document.body.append(told);
  let word = null;

  function tell(found) {
    if (found === word) return;
    hush();
    word = found;
    // The browser would tell it a second time.
    found.dataset.meaning ??= found.title;
    found.removeAttribute("title");
    told.textContent = found.dataset.meaning;
    told.hidden = false;
    found.setAttribute("aria-describedby", told.id);
    const [at, box] = [found.getBoundingClientRect(), told.getBoundingClientRect()];
    const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - box.width - 8));
    const isRoomBelow = at.bottom + box.height + 8 < window.innerHeight;
    told.style.left = `${left + window.scrollX}px`;
    told.style.top = `${(isRoomBelow ? at.bottom : at.top - box.height) + window.scrollY}px`;
  }

  function hush() {
    word?.removeAttribute("aria-describedby");
    word = null;
    told.hidden = true;
  }

  const wordOf = (event) => event.target.closest?.("a.term");
  for (const name of ["pointerover", "focusin"]) {
    document.addEventListener(name, (event) => {
      const found = wordOf(event);
      if (found) tell(found);
      // One may point at what is told.
      else if (!told.contains(event.target) && document.activeElement !== word) hush();
    });
  }
  document.addEventListener("focusout", (event) => wordOf(event) && hush());
  document.addEventListener("keydown", (event) => event.key === "Escape" && hush());
})();
