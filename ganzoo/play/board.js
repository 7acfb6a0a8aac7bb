element.addEventListener("input", (event) => {
  if (!event.target.matches(".gz-filter")) return;
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of element.querySelectorAll("tbody tr"))
    row.hidden = !words.every((word) => row.dataset.words.includes(word));
});
element.addEventListener("click", (event) => {
  const row = event.target.closest("tr");
  const button = event.target.closest(".gz-play") || row?.querySelector(".gz-play");
  if (button && !event.target.closest("input")) trigger("play", { model: button.dataset.model });
});
