"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  document.documentElement.classList.add("script");
  const charts = document.getElementById("charts");
  const rows = document.getElementById("rows");
  const select = document.getElementById("series");
  const NEWEST = 30, HEIGHT = 240;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = (value) => value == null ? "–" : value.toLocaleString("en", { maximumSignificantDigits: 3 });
  const commit = (runs, at) => (runs.sha[at] ? runs.sha[at].slice(0, 9) : "–") + (runs.dirty[at] ? "+" : "");
  const link = (runs, at) => {
    const text = commit(runs, at);
    if (!data.web || !runs.sha[at]) return document.createTextNode(text);
    const a = document.createElement("a");
    a.href = `${data.web}/commit/${runs.sha[at]}`;
    a.rel = "noreferrer";
    a.textContent = text;
    return a;
  };
  let drawn = [];

  // The limit as a dashed line, each change as an upright one, the level between them as a step.
  const marks = (metric) => (u) => {
    const { ctx, bbox } = u;
    const ratio = devicePixelRatio;
    const line = (x0, y0, x1, y1, colour, dash) => {
      ctx.save();
      ctx.strokeStyle = colour;
      ctx.lineWidth = 1.5 * ratio;
      ctx.setLineDash(dash.map((part) => part * ratio));
      ctx.beginPath(); ctx.moveTo(x0, y0); ctx.lineTo(x1, y1); ctx.stroke();
      ctx.restore();
    };
    const text = (words, x, y, colour, align) => {
      ctx.save();
      ctx.fillStyle = colour; ctx.textAlign = align; ctx.font = `${12 * ratio}px system-ui, sans-serif`;
      ctx.strokeStyle = css("--paper"); ctx.lineWidth = 3 * ratio; ctx.lineJoin = "round";
      ctx.strokeText(words, x, y); // over lines it stays readable
      ctx.fillText(words, x, y);
      ctx.restore();
    };
    let room = Infinity; // labels that would lie over a newer one are left out
    const changes = [...metric.changes].reverse().map((change) => (
      { ...change, x: u.valToPos(change.at - 0.5, "x", true), colour: css(change.ratio > 1 ? "--bad" : "--good") }
    ));
    changes.forEach(({ x, colour }) => line(x, bbox.top, x, bbox.top + bbox.height, colour, [3, 3]));
    if (metric.limit != null && metric.limit <= u.scales.y.max) {
      const y = u.valToPos(metric.limit, "y", true);
      line(bbox.left, y, bbox.left + bbox.width, y, css("--limit"), [6, 4]);
      text(`SLO ${number(metric.limit)}${metric.limit_is_of}`, bbox.left + 6 * ratio, y - 5 * ratio, css("--limit"), "left");
    }
    changes.forEach(({ x, colour, short }) => {
      const right = x > bbox.left + bbox.width * 0.8;
      const wide = 62 * ratio;
      if ((right ? x : x + wide) > room) return;
      room = right ? x - wide : x;
      text(short, x + (right ? -5 : 5) * ratio, bbox.top + 12 * ratio, colour, right ? "right" : "left");
    });
  };

  const chart = (series, metric) => {
    const runs = series.runs;
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = `${metric.title} `;
    const unit = document.createElement("small");
    unit.textContent = metric.unit;
    caption.append(unit);
    const readout = document.createElement("div");
    readout.className = "readout";
    const place = document.createElement("div");
    place.setAttribute("role", "img");
    const values = metric.values.filter((value) => value != null);
    const newest = values[values.length - 1];
    place.setAttribute("aria-label", `${metric.title} of ${values.length} runs, the newest ${number(newest)} ${metric.unit}`);
    figure.append(caption, readout, place);
    charts.append(figure);
    const tell = (at) => {
      const last = at == null;
      if (last) for (at = metric.values.length - 1; metric.values[at] == null; at--);
      readout.replaceChildren(`${last ? "newest: " : ""}${number(metric.values[at])} · `, link(runs, at), ` · ${runs.began[at]} · run ${runs.id[at]}`);
    };
    const top = Math.max(...values, metric.limit != null && metric.limit < 3 * Math.max(...values) ? metric.limit : 0);
    if (metric.limit > top) unit.textContent += ` · SLO ${number(metric.limit)}${metric.limit_is_of}, above this chart`;
    const axis = { stroke: () => css("--muted"), grid: { stroke: () => css("--line"), width: 1 }, ticks: { stroke: () => css("--line"), width: 1 }, font: "12px system-ui, sans-serif" };
    const u = new uPlot({
      width: place.clientWidth, height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: false } },
      scales: { x: { time: false, range: (_, low, high) => [low - 0.5, high + 0.5] }, y: { range: [0, top * 1.12 || 1] } },
      axes: [
        { ...axis, space: 80, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000], values: (_, ticks) => ticks.map((at) => runs.sha[at] == null ? "" : commit(runs, at).slice(0, 8)) },
        { ...axis, size: 60, values: (_, ticks) => ticks.map(number) },
      ],
      series: [{}, { stroke: () => css("--accent"), width: 1.5, spanGaps: true, points: { show: values.length < 400, size: 5, fill: () => css("--accent") } }],
      hooks: { draw: [marks(metric)], setCursor: [(self) => { const at = self.cursor.idx; tell(metric.values[at] == null ? null : at); }] },
    }, [metric.values.map((_, at) => at), metric.values], place);
    tell(null);
    drawn.push({ u, place });
  };

  const show = () => {
    const series = data.series[select.value];
    drawn.forEach(({ u }) => u.destroy());
    drawn = [];
    charts.replaceChildren();
    series.metrics.filter((metric) => metric.values.some((value) => value != null)).forEach((metric) => chart(series, metric));
    const runs = series.runs;
    rows.replaceChildren();
    for (let at = runs.id.length - 1; at >= 0 && at >= runs.id.length - NEWEST; at--) {
      const row = rows.insertRow();
      row.insertCell().textContent = runs.id[at];
      row.insertCell().textContent = runs.began[at];
      row.insertCell().append(link(runs, at));
      [runs.memory[at], ...series.metrics.map((metric) => metric.values[at])].forEach((value) => {
        const cell = row.insertCell();
        cell.className = "number";
        cell.textContent = number(value);
      });
    }
    document.querySelectorAll("[data-series]").forEach((item) => {
      item.hidden = select.value !== item.dataset.series;
    });
  };

  select.addEventListener("change", show);
  addEventListener("resize", () => drawn.forEach(({ u, place }) => u.setSize({ width: place.clientWidth, height: HEIGHT })));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(({ u }) => u.redraw(false, true)));
  show();
})();
