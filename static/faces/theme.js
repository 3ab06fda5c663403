/* Runs before the first paint: the chosen theme, and the mark that scripts work. */
(function () {
  var root = document.documentElement;
  root.classList.add("js");
  try {
    var chosen = localStorage.getItem("habitat-theme");
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch (refused) {
    /* Storage is switched off: the system's own theme holds. */
  }
})();
