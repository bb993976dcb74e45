// A region of markup that listens to keys. What it shows was escaped in Python; keys that it uses never reach JupyterLab's command mode.
function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "po-pane";
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("data-lm-suppress-shortcuts", "true");
  const draw = () => {
    const inside = box.contains(document.activeElement);
    const left = box.querySelector(".po-list")?.scrollTop ?? 0;
    box.innerHTML = model.get("html");
    box.setAttribute("aria-label", model.get("label"));
    const list = box.querySelector(".po-list");
    const chosen = list?.querySelector('[aria-selected="true"]');
    if (list) {
      list.scrollTop = left;
      if (chosen) {
        const over = chosen.offsetTop + chosen.offsetHeight - list.scrollTop - list.clientHeight;
        if (over > 0) list.scrollTop += over;
        if (chosen.offsetTop < list.scrollTop) list.scrollTop = chosen.offsetTop;
      }
    }
    if (inside) box.focus({ preventScroll: true });
  };
  const typing = (target) => /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab" || event.key === "Escape") return;
    event.stopPropagation();
    const onButton = event.target.closest("button") && (event.key === "Enter" || event.key === " ");
    if (typing(event.target) || onButton || !model.get("heard").includes(event.key)) return;
    event.preventDefault();
    model.send({ press: event.key });
  });
  box.addEventListener("click", (event) => {
    const target = event.target.closest("[data-press]");
    if (!target || !box.contains(target)) return;
    model.send({ press: target.dataset.press });
    box.focus({ preventScroll: true });
  });
  model.on("change:html", draw);
  el.appendChild(box);
  draw();
  return () => model.off("change:html", draw);
}
export default { render };
