element.addEventListener("click", (event) => {
  const copy = event.target.closest(".gz-copy");
  if (copy) {
    const lines = copy.closest("details").querySelector("pre:last-of-type").textContent;
    navigator.clipboard?.writeText(lines).then(() => { copy.textContent = "Copied"; });
    return;
  }
  const button = event.target.closest("button[data-index]");
  if (button) trigger("pick", { index: Number(button.dataset.index) });
});
let open = false; // the lines stay unfolded when other pictures come
element.addEventListener("toggle", (event) => { open = event.target.open; }, true);
watch("value", () => { const lines = element.querySelector("details"); if (lines && open) lines.open = true; });
