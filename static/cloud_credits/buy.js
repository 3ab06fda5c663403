/* Buying: what the amount costs while it is typed. One CLOUD is ten dollars, so the point moves by one place. */
"use strict";

(() => {
  const field = document.querySelector("[data-cloud-amount]");
  const shown = document.querySelector("[data-cloud-usd]");
  if (!field || !shown) return;

  /* Digits alone, no floating point: what is shown is exact, or nothing is shown. */
  const dollars = (text) => {
    const parts = /^\s*(\d{1,12})(?:\.(\d{0,8}))?\s*$/.exec(text);
    if (!parts) return "";
    const fraction = (parts[2] || "").padEnd(3, "0");
    if (/[1-9]/.test(fraction.slice(3))) return "";
    const cents = BigInt(parts[1] + fraction.slice(0, 3));
    const whole = (cents / 100n).toString().replace(/\B(?=(\d{3})+$)/g, ",");
    return `$${whole}.${(cents % 100n).toString().padStart(2, "0")}`;
  };
  const show = () => {
    const text = dollars(field.value);
    shown.textContent = text ? `You pay ${text}` : "";
    shown.hidden = !text;
  };
  field.addEventListener("input", show);
  show();
})();
