"use strict";
// Sends a form when a choice in it changes. Everything else is there without it.

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("form[data-live]").forEach((form) => {
    form.addEventListener("change", () => form.requestSubmit());
  });
});
