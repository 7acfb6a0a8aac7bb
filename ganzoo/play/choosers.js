element.addEventListener("change", () => {
  const labels = {};
  for (const one of element.querySelectorAll("select")) if (one.value) labels[one.dataset.label] = one.value;
  trigger("relabel", { labels: JSON.stringify(labels) });
});
