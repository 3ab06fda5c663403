/* What pages gain when scripts run: the theme switch, the menu, one submit a form, chart readouts. */
"use strict";

(() => {
  const root = document.documentElement;

  /* Theme: system → light → dark → system. */
  const order = ["system", "light", "dark"];
  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    const word = button.querySelector("[data-theme-word]");
    const show = () => {
      word.textContent = root.dataset.theme || "system";
    };
    button.hidden = false;
    button.addEventListener("click", () => {
      const next = order[(order.indexOf(root.dataset.theme || "system") + 1) % order.length];
      if (next === "system") delete root.dataset.theme;
      else root.dataset.theme = next;
      try {
        if (next === "system") localStorage.removeItem("habitat-theme");
        else localStorage.setItem("habitat-theme", next);
      } catch (refused) {
        /* The choice then lasts for this page. */
      }
      show();
    });
    show();
  }

  /* Menu on narrow screens. Without scripts it simply stays open. */
  const toggle = document.querySelector("[data-menu-toggle]");
  if (toggle) {
    const menu = document.getElementById(toggle.getAttribute("aria-controls"));
    const set = (open) => {
      toggle.setAttribute("aria-expanded", String(open));
      menu.classList.toggle("is-open", open);
    };
    toggle.hidden = false;
    toggle.addEventListener("click", () => set(toggle.getAttribute("aria-expanded") !== "true"));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && toggle.getAttribute("aria-expanded") === "true") {
        set(false);
        toggle.focus();
      }
    });
  }

  /* A form is sent once: the second click on a slow line does nothing. */
  for (const form of document.querySelectorAll("form[data-once]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
      for (const button of form.querySelectorAll("[type=submit]")) button.setAttribute("aria-disabled", "true");
    });
  }
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("[type=submit]")) button.removeAttribute("aria-disabled");
    }
  });

  /* Errors: bring the summary of a refused form to the reader. */
  const summary = document.querySelector("[data-focus]");
  if (summary) summary.focus();

  /* Charts: the nearest point's row of the table is spoken in the readout. */
  for (const chart of document.querySelectorAll("[data-chart]")) {
    const plot = chart.querySelector(".chart__plot");
    const readout = chart.querySelector(".chart__readout");
    const rows = [...chart.querySelectorAll("tbody tr")].map((row) =>
      [...row.children].map((cell) => cell.textContent.trim()).join("  ·  ")
    );
    const marks = [...chart.querySelectorAll("[data-point]")];
    const usual = readout.textContent;
    if (!rows.length || marks.length !== rows.length) continue;
    const clear = () => {
      readout.textContent = usual;
      for (const mark of marks) mark.classList.remove("is-near");
    };
    plot.addEventListener("pointermove", (event) => {
      let near = 0;
      let least = Infinity;
      marks.forEach((mark, index) => {
        const box = mark.getBoundingClientRect();
        const away = Math.abs(event.clientX - (box.left + box.width / 2));
        if (away < least) {
          least = away;
          near = index;
        }
      });
      marks.forEach((mark, index) => mark.classList.toggle("is-near", index === near));
      readout.textContent = rows[near];
    });
    plot.addEventListener("pointerleave", clear);
  }
})();
