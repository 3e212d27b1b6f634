// Curves in the hash, as aws-lambda-power-tuning packs them: base64 of int16 sizes, float32
// durations in ms and float32 costs, little endian, parted by ";". Two curves: both, and two names.
(() => {
  'use strict';
  const $ = (id) => document.getElementById(id);
  const SVG = 'http://www.w3.org/2000/svg';
  const currency = new URLSearchParams(location.search).get('currency') === 'CNY' ? 'CNY' : 'USD';
  const MOST_SIZES = 512;

  function bytes(text) {
    let raw;
    try {
      raw = atob(decodeURIComponent(text));
    } catch {
      throw new Error('it is no base64');
    }
    return new DataView(Uint8Array.from(raw, (one) => one.charCodeAt(0)).buffer);
  }

  function numbers(text, width, read) {
    const view = bytes(text);
    if (!view.byteLength || view.byteLength % width || view.byteLength / width > MOST_SIZES) {
      throw new Error(`it is no list of 1 to ${MOST_SIZES} numbers`);
    }
    return Array.from({ length: view.byteLength / width }, (_, at) => read(view, at * width));
  }

  function curve(parts, name) {
    const float = (view, at) => view.getFloat32(at, true);
    const mb = numbers(parts[0], 2, (view, at) => view.getInt16(at, true));
    const ms = numbers(parts[1], 4, float);
    const cost = numbers(parts[2], 4, float);
    if (mb.length !== ms.length || mb.length !== cost.length) {
      throw new Error(`it has ${mb.length} sizes, ${ms.length} durations and ${cost.length} costs`);
    }
    const good = (x) => Number.isFinite(x) && x >= 0;
    if (!mb.every((x) => x > 0) || !ms.every(good) || !cost.every(good)) {
      throw new Error('a size, duration or cost is no number of 0 and more');
    }
    const points = mb.map((size, at) => ({ mb: size, ms: ms[at], cost: cost[at] * 1e6 }));
    return { name, points: points.sort((one, other) => one.mb - other.mb) };
  }

  function nameOf(text, otherwise) {
    try {
      return decodeURIComponent(text || '').trim().slice(0, 60) || otherwise;
    } catch {
      return otherwise;
    }
  }

  function read(hash) {
    const parts = hash.split(';');
    if (parts.length !== 3 && parts.length !== 8) {
      throw new Error(`it has ${parts.length} parts; a curve has 3, two with their names have 8`);
    }
    const first = curve(parts.slice(0, 3), nameOf(parts[6], 'this curve'));
    return parts.length === 3 ? [first] : [first, curve(parts.slice(3, 6), nameOf(parts[7], 'the other'))];
  }

  const figure = (x) => (x === 0 ? '0' : Number(x.toPrecision(3)).toLocaleString('en', { maximumFractionDigits: 6 }));
  const change = (x, y) => {
    if (!(x > 0)) return '–';
    const percent = (y / x - 1) * 100;
    return `${percent > 0 ? '+' : percent < 0 ? '−' : ''}${Math.abs(percent).toFixed(Math.abs(percent) < 10 ? 1 : 0)} %`;
  };

  function drawn(kind, attributes, text) {
    const made = document.createElementNS(SVG, kind);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function plot(curves, field, title) {
    const width = Math.max(300, Math.min(820, $('plots').clientWidth || 820));
    const [height, left, right, top, bottom] = [230, 58, 18, 30, 34];
    const all = curves.flatMap((one) => one.points);
    const sizes = [...new Set(all.map((one) => one.mb))].sort((a, b) => a - b);
    const most = Math.max(...all.map((one) => one[field])) * 1.1 || 1;
    const [low, high] = [Math.log(sizes[0]), Math.log(sizes[sizes.length - 1])];
    const x = (mb) => left + (width - left - right) * (high > low ? (Math.log(mb) - low) / (high - low) : 0.5);
    const y = (value) => height - bottom - (height - top - bottom) * (value / most);
    const svg = drawn('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': title });
    svg.append(drawn('text', { x: 0, y: 14 }, title));
    for (let at = 0; at <= 4; at += 1) {
      const value = (most / 1.1) * (at / 4);
      svg.append(drawn('line', { class: 'grid', x1: left, x2: width - right, y1: y(value), y2: y(value) }));
      svg.append(drawn('text', { x: left - 6, y: y(value) + 4, 'text-anchor': 'end' }, figure(value)));
    }
    let end = -Infinity;
    for (const mb of sizes) {
      if (x(mb) - end < 36) continue;
      end = x(mb);
      svg.append(drawn('text', { x: end, y: height - bottom + 18, 'text-anchor': 'middle' }, mb));
    }
    curves.forEach((one, at) => {
      const look = 'ab'[at];
      const line = one.points.map((p) => `${x(p.mb).toFixed(1)},${y(p[field]).toFixed(1)}`).join(' ');
      svg.append(drawn('polyline', { class: look, points: line }));
      for (const p of one.points) {
        const dot = drawn('circle', { class: look, cx: x(p.mb), cy: y(p[field]), r: 4 });
        dot.append(drawn('title', {}, `${one.name}, ${p.mb} MB: ${figure(p[field])}`));
        svg.append(dot);
      }
    });
    return svg;
  }

  const cell = (text, kind = 'td') => {
    const made = document.createElement(kind);
    made.textContent = text;
    made.className = 'number';
    if (kind === 'th') made.scope = 'col';
    return made;
  };

  function table(curves) {
    const [first, second] = curves;
    const of = (one) => (second ? `, ${one.name}` : '');
    const heads = ['MB', ...curves.flatMap((one) => [`ms${of(one)}`, `${currency} / million${of(one)}`])];
    if (second) heads.push('Duration', 'Cost');
    $('heads').replaceChildren(...heads.map((text) => cell(text, 'th')));
    const sizes = [...new Set(curves.flatMap((one) => one.points.map((p) => p.mb)))].sort((a, b) => a - b);
    $('rows').replaceChildren(...sizes.map((mb) => {
      const found = curves.map((one) => one.points.find((p) => p.mb === mb));
      const texts = found.flatMap((p) => (p ? [figure(p.ms), figure(p.cost)] : ['–', '–']));
      const [one, other] = found;
      if (second) texts.push(...(one && other ? [change(one.ms, other.ms), change(one.cost, other.cost)] : ['–', '–']));
      const row = document.createElement('tr');
      const head = cell(mb, 'th');
      head.scope = 'row';
      row.append(head, ...texts.map((text) => cell(text)));
      return row;
    }));
  }

  function words({ points }) {
    const least = (score) => points.reduce((a, b) => (score(b) < score(a) ? b : a)).mb;
    const [ms, cost] = ['ms', 'cost'].map((field) => Math.max(...points.map((p) => p[field])) || 1);
    const balanced = least((p) => p.ms / ms + p.cost / cost);
    return `cheapest ${least((p) => p.cost)} MB, balanced ${balanced} MB, fastest ${least((p) => p.ms)} MB`;
  }

  let curves = [];
  function draw() {
    $('plots').replaceChildren(
      ...(curves.length ? [plot(curves, 'ms', 'Duration, ms'), plot(curves, 'cost', `Cost, ${currency} per million invocations`)] : []),
    );
  }

  function show() {
    const hash = location.hash.slice(1);
    curves = [];
    $('problem').hidden = true;
    try {
      if (hash) curves = read(hash);
    } catch (error) {
      $('problem').textContent = `This address has no curve: ${error.message}.`;
      $('problem').hidden = false;
    }
    $('result').hidden = !curves.length;
    if (curves.length) {
      const parts = hash.split(';');
      $('headline').textContent = curves.length > 1 ? `${curves[0].name} and ${curves[1].name}` : 'Duration and cost by memory size';
      $('lead').textContent = curves.map((one) => `${curves.length > 1 ? `${one.name}: ` : ''}${words(one)}`).join('; ');
      $('keys').replaceChildren(...(curves.length > 1 ? curves : []).flatMap((one, at) => {
        const key = document.createElement('strong');
        key.className = `key-${'ab'[at]}`;
        key.textContent = `${at ? '- - ' : '— '}${one.name}`;
        return [key, ' '];
      }));
      table(curves);
      $('first').value = parts.slice(0, 3).join(';');
      $('second').value = parts.slice(3, 6).join(';');
      if (parts.length === 8) {
        $('name-a').value = curves[0].name;
        $('name-b').value = curves[1].name;
      }
    }
    draw();
  }

  $('form').addEventListener('submit', (event) => {
    event.preventDefault();
    const data = (id) => $(id).value.trim().split('#').pop();
    const names = ['name-a', 'name-b'].map((id) => encodeURIComponent($(id).value.trim()));
    const pasted = [data('first'), data('second')].map((text) => text.split(';').slice(0, 3).join(';'));
    // of a comparison that was pasted, all of it
    location.hash = pasted[1] ? [...pasted, ...names].join(';') : data('first');
  });
  addEventListener('hashchange', show);
  addEventListener('resize', draw);
  show();
})();
