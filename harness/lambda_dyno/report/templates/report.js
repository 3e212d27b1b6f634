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

// Money at any traffic: the table has three examples, a slider has what is between them.
(() => {
  const section = document.querySelector("[data-money]");
  if (!section) return;
  const money = JSON.parse(section.dataset.money);
  const label = document.createElement("label");
  const input = document.createElement("input");
  const output = document.createElement("output");
  Object.assign(input, { type: "range", min: 3, max: 10, step: 0.05 });
  input.value = Math.log10(Math.min(1e10, Math.max(1e3, money.count)));
  label.className = "traffic";
  label.append("Your traffic", input, output);
  section.querySelector(".scroll").before(label);
  input.addEventListener("input", show);
  show();

  function show() {
    const power = 10 ** Math.floor(input.value);
    const count = Math.round((10 ** input.value / power) * 10) / 10 * power;
    const costs = money.sizes.map(([mb, usd]) => `${write(usd * count)} at ${mb} MB`);
    let text = `${count.toLocaleString("en-US")} invocations a month: ${costs.join(", ")}`;
    if (money.saved) {
      const [middle, low, high] = money.saved.map((usd) => usd * count);
      const sign = low > 0 || high < 0 ? "" : ", within the noise";
      const word = middle < 0 ? "more" : "less";
      const half = write(Math.max(high - middle, middle - low));
      text += `: ${write(Math.abs(middle))} ± ${half} ${money.currency} ${word}${sign}`;
    } else text += ` ${money.currency}`;
    if (money.api) text += `; API Gateway ${write(money.api * count)} beside it`;
    output.textContent = text;
    input.setAttribute("aria-valuetext", `${count.toLocaleString("en-US")} invocations a month`);
  }
  function write(usd) {
    const digits = usd >= 100 ? 0 : usd >= 1 ? 2 : Math.min(8, 2 - Math.floor(Math.log10(usd || 1)));
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    return usd.toLocaleString("en-US", options);
  }
})();

// Paper has no click: everything folded is opened for print.
addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((part) => (part.open = true));
});

// A command beside which a button stands that copies it; where that is forbidden, it is selected.
for (const command of document.querySelectorAll("ol pre, .box.unsure pre")) {
  const frame = document.createElement("div");
  const button = document.createElement("button");
  frame.className = "copied";
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy ${command.textContent.trim()}`);
  command.replaceWith(frame);
  frame.append(command, button);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command.textContent.trim());
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(command);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}
