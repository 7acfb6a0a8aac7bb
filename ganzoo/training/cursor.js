// One cursor over all charts; the legends then tell the smooth curves' values there.
(() => {
  const left = {{ axes.left }}, right = {{ axes.right }}, top = {{ axes.top }}, bottom = {{ axes.bottom }}, make = (name) => document.createElementNS(svgs[0].namespaceURI, name);
  const svgs = [...document.querySelectorAll(".chart > svg")];
  const charts = svgs.map((svg) => {
    const [end, low, high] = svg.dataset.scale.split(" ").map(Number);
    const values = [...svg.parentNode.querySelectorAll("li b")];
    const curves = [...svg.querySelectorAll("[data-curve]")].map((group) => ({
      legend: values[group.dataset.curve],
      last: values[group.dataset.curve].textContent,
      points: group.querySelector(".smooth").getAttribute("points").split(" ").map((p) => p.split(",").map(Number)),
    }));
    return { svg, end, low, high, curves };
  });
  const clear = () => charts.forEach(({ svg, curves }) => {
    svg.querySelectorAll(".cursor").forEach((mark) => mark.remove());
    curves.forEach(({ legend, last }) => { legend.textContent = last; });
  });
  const point = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const x = Math.min(right, Math.max(left, (event.clientX - box.left) * {{ axes.width }} / box.width));
    clear();
    for (const { svg, end, low, high, curves } of charts) {
      const line = make("path"), text = make("text");
      line.setAttribute("class", "cursor");
      line.setAttribute("d", "M" + x + " " + top + "V" + bottom);
      text.setAttribute("class", "cursor");
      text.setAttribute("x", x + (x > 280 ? -4 : 4));
      text.setAttribute("y", bottom - 4);
      text.style.textAnchor = x > 280 ? "end" : "start";
      text.textContent = "step " + Math.round((x - left) / (right - left) * end).toLocaleString("en");
      svg.append(line, text);
      for (const { legend, points } of curves) {
        const near = points.reduce((a, b) => Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a);
        const value = low + (bottom - 3 - near[1]) / (bottom - top - 6) * (high - low);
        legend.textContent = String(+value.toPrecision(3)).replace("-", "−");
      }
    }
  };
  for (const svg of svgs) {
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerdown", point);
    svg.addEventListener("pointerleave", clear);
  }
})();
