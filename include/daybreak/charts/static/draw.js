"use strict";
// Draws the figures of a document: of each element with data-figure, the JSON in the element of
// that id. Needs Plotly; without it the tables are there.

(() => {
  const VARIABLE = /^var\((--[\w-]+)\)$/;

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Figures name colours of the style sheet, which differ by light and dark.
  const withColours = (name, value) => {
    const found = typeof value === "string" && name !== "name" ? VARIABLE.exec(value) : null;
    return found ? colour(found[1]) : value;
  };

  const axis = (given) => ({
    gridcolor: colour("--grid"),
    linecolor: colour("--grid"),
    zeroline: false,
    automargin: true,
    fixedrange: true,
    ...given,
  });

  const layout = (given) => ({
    margin: { l: 44, r: 12, t: 8, b: 36 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: colour("--quiet") },
    hovermode: "x unified",
    hoverlabel: {
      bgcolor: colour("--card"),
      bordercolor: colour("--grid"),
      font: { color: colour("--ink") },
    },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    dragmode: false,
    ...given,
    xaxis: axis({ showgrid: given.xaxis?.type !== "category", ...given.xaxis }),
    yaxis: axis(given.yaxis),
  });

  const draw = (place) => {
    const text = document.getElementById(place.dataset.figure).textContent;
    const figure = JSON.parse(text, withColours);
    Plotly.react(place, figure.data, layout(figure.layout), {
      displayModeBar: false,
      responsive: true,
    });
    place.classList.add("drawn");
  };

  const drawAll = () => {
    if (window.Plotly) document.querySelectorAll("[data-figure]").forEach(draw);
  };

  document.addEventListener("DOMContentLoaded", () => {
    drawAll();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  });
})();
