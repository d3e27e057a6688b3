"use strict";
const plots = [...document.querySelectorAll(".plot")];
for (const plot of plots) {
  const { data, layout } = JSON.parse(document.getElementById(plot.id + "-data").textContent);
  Plotly.newPlot(plot, data, layout, { responsive: true, displayModeBar: false });
}
// Paper has its own width, which no resize event tells.
window.addEventListener("beforeprint", () => {
  for (const plot of plots) Plotly.relayout(plot, { width: Math.min(plot.clientWidth, 640) });
});
window.addEventListener("afterprint", () => {
  for (const plot of plots) Plotly.relayout(plot, { width: null, autosize: true });
});
