"use strict";
// Adds reading of values to the cost and duration curve: the picture itself is plain SVG, and
// every figure shown here stands in the table of memory sizes. Without this script, both stay.
(() => {
  const table = document.getElementById("memory-sizes");
  if (!table) return;
  document.documentElement.classList.add("script");
  const heads = [...table.tHead.rows[0].cells].map((cell) => cell.dataset);
  const rows = new Map([...table.tBodies[0].rows].map((row) => [row.dataset.key, row]));
  const plots = [...document.querySelectorAll(".plot[data-curve]")].map(attach);

  for (const [key, row] of rows) {
    row.addEventListener("pointerenter", () => plots.forEach((plot) => plot.show(key)));
    row.addEventListener("pointerleave", () => plots.forEach((plot) => plot.hide()));
  }

  function attach(plot) {
    const points = [...plot.querySelectorAll(".duration_points_marks path")].map((path) => ({
      key: path.getAttribute("aria-label").match(/^\d+/)[0],
      path,
    }));
    const hair = plot.appendChild(element("div", "hair"));
    const tip = plot.appendChild(element("div", "tip"));
    tip.setAttribute("role", "status");
    let shown = -1;
    hide();

    function place(point) {
      const box = point.path.getBoundingClientRect();
      return box.left + box.width / 2 - plot.getBoundingClientRect().left;
    }
    function hide() {
      hair.hidden = tip.hidden = true;
      shown = -1;
      rows.forEach((row) => row.classList.remove("lit"));
    }
    function show(key) {
      const index = points.findIndex((point) => point.key === key);
      if (index < 0 || !plot.offsetWidth) return;
      const x = place(points[index]);
      shown = index;
      rows.forEach((row, name) => row.classList.toggle("lit", name === key));
      tip.replaceChildren(...describe(rows.get(key)));
      hair.hidden = tip.hidden = false;
      hair.style.left = `${x - 0.5}px`;
      const left = x > plot.offsetWidth / 2 ? x - tip.offsetWidth - 10 : x + 10;
      tip.style.left = `${Math.max(0, left)}px`;
    }
    function nearest(event) {
      const x = event.clientX - plot.getBoundingClientRect().left;
      const distance = (point) => Math.abs(place(point) - x);
      return points.reduce((best, point) => (distance(point) < distance(best) ? point : best));
    }
    plot.addEventListener("pointermove", (event) => show(nearest(event).key));
    plot.addEventListener("pointerdown", (event) => show(nearest(event).key));
    plot.addEventListener("pointerleave", hide);
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Escape: 0 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      if (step === 0) return hide();
      const from = shown < 0 ? (step > 0 ? -1 : points.length) : shown;
      show(points[Math.min(points.length - 1, Math.max(0, from + step))].key);
    });
    return { show, hide };
  }

  function describe(row) {
    const title = element("b");
    const marks = row.dataset.marks ? ` (${row.dataset.marks})` : "";
    title.textContent = `${row.cells[0].textContent.trim()} ${heads[0].unit}${marks}`;
    const list = element("dl");
    heads.forEach((head, index) => {
      if (index === 0 || head.tip === undefined) return;
      const name = element("dt");
      const value = element("dd");
      name.textContent = head.title;
      value.textContent = `${row.cells[index].textContent.trim()} ${head.unit}`;
      list.append(name, value);
    });
    return [title, list];
  }

  function element(name, className = "") {
    const made = document.createElement(name);
    made.className = className;
    return made;
  }
})();

// Paper has no click: everything folded is opened for print.
addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((part) => (part.open = true));
});
