"use strict";
// Sends a form when a choice in it changes, and leads out of Airflow's frame.
// Everything else is there without it.

document.addEventListener("DOMContentLoaded", () => {
  // The sandbox of Airflow's frame lets no link of ours open in the whole window, so one of
  // Airflow's own document does. Only a page of this server may frame this one.
  const leadOut = (event) => {
    const link = event.target.closest('a[target="_top"]');
    if (!link || window.parent === window) return;
    event.preventDefault();
    const outside = window.parent.document.createElement("a");
    outside.href = link.href;
    outside.click();
  };
  document.addEventListener("click", leadOut);
  // On a phone the navigation is wider than the window: show where one is in it.
  document.querySelectorAll("ul a[aria-current]").forEach((link) => {
    link.scrollIntoView({ inline: "center", block: "nearest" });
  });
  document.querySelectorAll("form[data-live]").forEach((form) => {
    form.addEventListener("change", () => form.requestSubmit());
  });
});
