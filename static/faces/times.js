/* Times in the reader's own zone, on the portal and in the back office, and how long it is until a deadline. */
"use strict";

(() => {
  /* The server writes UTC; the reader sees their own zone, and UTC in the title. A deadline names the zone too. */
  const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const zoned = new Intl.DateTimeFormat(undefined, {
    weekday: "short", year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
  });
  const localise = (part) => {
    for (const time of part.querySelectorAll("time[data-when]:not([title])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.title = time.textContent.trim();
      time.textContent = (time.dataset.when === "zone" ? zoned : moment).format(at);
    }
  };

  /* How long until a deadline: the two largest units, so that nobody counts seconds. */
  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const apart = (seconds) => {
    const words = [];
    let left = Math.floor(seconds);
    for (const [name, size] of units) {
      const count = Math.floor(left / size);
      left -= count * size;
      if (count && words.length < 2) words.push(`${count} ${name}${count === 1 ? "" : "s"}`);
      else if (words.length) break;
    }
    return words.length ? words.join(" and ") : "less than a minute";
  };
  const count = (part) => {
    for (const place of part.querySelectorAll("[data-until]")) {
      const left = (new Date(place.dataset.until).getTime() - Date.now()) / 1000;
      if (Number.isNaN(left)) continue;
      const words = left > 0 ? `in ${apart(left)}` : place.dataset.past || "now";
      if (place.textContent !== words) place.textContent = words;
    }
  };

  const start = () => {
    localise(document);
    count(document);
    if (document.querySelector("[data-until]")) setInterval(() => count(document), 20000);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
  /* A part that was fetched anew has times of its own. */
  document.addEventListener("htmx:load", (event) => { localise(event.target); count(event.target); });
})();
