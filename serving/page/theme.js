// Light or dark, set before anything is drawn: the choice made here, else the system's.
(() => {
  const kept = localStorage.getItem("forecast.theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
})();
