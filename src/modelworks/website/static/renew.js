"use strict";
// Renews a part of the page that says after how many seconds, as long as somebody looks.
(() => {
  const part = document.querySelector("[data-renew]");
  if (!part) return;
  async function renew() {
    if (document.visibilityState === "visible") {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(part.id);
        if (answer.ok && fresh) {
          part.replaceChildren(...fresh.childNodes);
          if (!fresh.dataset.renew) return;
        }
      } catch (error) {
        console.info(`not renewed: ${error.message}`);
      }
    }
    setTimeout(renew, 1000 * Number(part.dataset.renew));
  }
  setTimeout(renew, 1000 * Number(part.dataset.renew));
})();
