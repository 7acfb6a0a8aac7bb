// Fields keep their focus and what is being typed when the server sends the form again.
const open = new Map();
let focus = null, typed = null;
const changes = () => {
  const form = element.querySelector("form"), values = JSON.parse(form.dataset.hidden);
  for (const one of form.querySelectorAll("[data-path]"))
    if (one.value !== one.dataset.base) values[one.dataset.path] = one.value;
  return JSON.stringify(values);
};
element.addEventListener("focusin", (event) => { focus = event.target.dataset.path || null; typed = null; });
element.addEventListener("input", (event) => { typed = event.target.value; });
element.addEventListener("toggle", (event) => { if (event.target.dataset.section !== undefined) open.set(event.target.dataset.section, event.target.open); }, true);
element.addEventListener("change", (event) => {
  const add = event.target.dataset.add;
  if (add === undefined) typed = null;
  if (add !== undefined && !event.target.value) return;
  trigger("edit", add === undefined ? { changes: changes() } : { changes: changes(), place: add, use: event.target.value });
});
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-remove]");
  if (button) trigger("edit", { changes: changes(), remove: button.dataset.remove });
});
watch("value", () => {
  for (const [section, is] of open) {
    const one = element.querySelector(`details[data-section="${CSS.escape(section)}"]`);
    if (one && !one.querySelector(":scope > summary .gz-bad")) one.open = is;
  }
  const active = document.activeElement;
  if (focus && (!active || active === document.body)) {
    const one = element.querySelector(`[data-path="${CSS.escape(focus)}"]`);
    if (one) { one.focus(); if (typed !== null) one.value = typed; }
  }
});
