const all = (key) => [...element.querySelectorAll(`input[data-${key}]`)];
const moved = (key) => all(key).filter((one) => Number(one.value)).map((one) => [Number(one.dataset[key]), Number(one.value)]);
const send = () => trigger("shift", { shift: JSON.stringify({
  truncation: Number(all("truncation")[0].value), directions: moved("direction"), numbers: moved("number") }) });
const show = (one) => { one.nextElementSibling.value = one.value; };
element.addEventListener("input", (event) => show(event.target));
element.addEventListener("change", send);
element.addEventListener("click", (event) => {
  if (!event.target.closest(".gz-back")) return;
  for (const one of element.querySelectorAll("input")) { one.value = one.defaultValue; show(one); }
  send();
});
