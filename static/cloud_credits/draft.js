/* Drafting a rate card: the policy's own answer while somebody types; and a deadline in the reader's zone. */
"use strict";

(() => {
  const drafts = () => {
    const form = document.querySelector("form[data-draft]");
    if (!form) return;
    const places = (name) => form.querySelectorAll(`[data-${name}]`);
    const say = (place, sentences) => {
      place.replaceChildren(...sentences.map((sentence) => {
        const line = document.createElement("p");
        line.textContent = sentence;
        return line;
      }));
    };
    const verdict = (found) => {
      const place = form.querySelector("[data-verdict]");
      if (!found.length) return say(place, ["Nothing stands in its way."]);
      const list = document.createElement("ul");
      list.className = "gov-list";
      for (const problem of found) {
        const line = document.createElement("li");
        line.textContent = problem.sentence;
        list.append(line);
      }
      place.replaceChildren(list);
    };
    const show = (answer) => {
      for (const place of places("problems")) {
        const name = place.dataset.problems;
        /* What is merely missing stands in the list below; beside the field stands what is wrong with what was typed. */
        const input = form.elements[name];
        const typed = input && (input.type === "checkbox" || input.value.trim() !== "");
        const mine = answer.problems.filter((problem) => problem.field === name && typed);
        say(place, mine.map((problem) => problem.sentence));
        if (!input) continue;
        if (mine.length) input.setAttribute("aria-invalid", "true");
        else input.removeAttribute("aria-invalid");
        /* What the server said about an older text is no longer true. */
        place.parentElement.querySelectorAll(".verb-error").forEach((old) => old.remove());
      }
      for (const place of places("bounds")) place.textContent = answer.bounds[place.dataset.bounds].words;
      for (const place of places("change")) place.textContent = answer.bounds[place.dataset.change].change;
      for (const place of places("dates")) place.textContent = answer.dates;
      verdict(answer.problems);
    };
    let asked = 0;
    const check = async () => {
      const mine = ++asked;
      const answer = await fetch(form.dataset.check, { method: "POST", body: new FormData(form), credentials: "same-origin" });
      if (!answer.ok || mine !== asked) return;
      show(await answer.json());
    };
    /* For screen readers: a field's problems and bounds belong to it. */
    for (const place of places("problems")) {
      const input = form.elements[place.dataset.problems];
      const bounds = document.getElementById(`bounds-${place.dataset.problems.replace(/_rate$/, "")}`);
      if (!input || !place.id) continue;
      const ids = [input.getAttribute("aria-describedby"), bounds && bounds.id, place.id].filter(Boolean);
      input.setAttribute("aria-describedby", ids.join(" "));
    }
    let waiting;
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(check, 250);
    });
    form.querySelector("[data-check-button]").addEventListener("click", (event) => {
      event.preventDefault();
      check();
    });
    check();
  };

  const deadlines = () => {
    const zoned = new Intl.DateTimeFormat(undefined, {
      weekday: "short", year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
    });
    for (const input of document.querySelectorAll("input[data-utc]")) {
      const words = document.createElement("p");
      words.className = "verb-help";
      words.setAttribute("aria-live", "polite");
      input.after(words);
      const show = () => {
        const at = new Date(`${input.value}Z`);
        words.textContent = Number.isNaN(at.getTime()) ? "" : `In your zone: ${zoned.format(at)}`;
      };
      input.addEventListener("input", show);
      show();
    }
  };

  const start = () => { drafts(); deadlines(); };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
