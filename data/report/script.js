// Draws the report from the data in the page. They become text nodes and attribute values, never
// markup.
'use strict';
const {runs, sets} = JSON.parse(document.getElementById('data').textContent);
const $ = (id) => document.getElementById(id);

// --- nodes and numbers -----------------------------------------------------------------------
function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);  // a string becomes a text node
  return node;
}
const el = (tag, attributes = {}, ...children) =>
  build(document.createElement(tag), attributes, children);
const shape = (tag, attributes = {}, ...children) =>
  build(document.createElementNS($('plot').namespaceURI, tag), attributes, children);

// Keys come from outside: "constructor" must not find what every object inherits.
const own = (object, key) => object && Object.hasOwn(object, key) ? object[key] : undefined;
function number(object, key) {
  const value = own(object, key);
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

const DASH = '–';
const exponent = (text) => text.replace(/\.?0*e\+?/, 'e');
// Four significant digits.
function format(x) {
  if (x === undefined) return DASH;
  const size = Math.abs(x);
  const sign = x < 0 ? '−' : '';
  if (size >= 1e7 || (size > 0 && size < 1e-3)) return sign + exponent(size.toExponential(3));
  if (Number.isInteger(x) || size >= 9999.5) return sign + Math.round(size);
  return sign + size.toPrecision(4);
}
// A p-value or a ratio by its log10, which reaches beyond a double.
function power(log) {
  if (log > -3 && log < 4) return format(10 ** log);
  let whole = Math.floor(log);
  let digits = Number((10 ** (log - whole)).toFixed(2));
  if (digits === 10) [digits, whole] = [1, whole + 1];
  return `${digits}e${whole}`;
}
function change(x) {
  const size = Math.abs(x);
  const sign = x > 0 ? '+' : x < 0 ? '−' : '±';
  return sign + (size >= 1 || (size > 0 && size < 5e-5) ? format(size) : size.toFixed(4));
}
// Right-aligned cells get room after their last digit, so that decimal points stand in line.
function align(cells) {
  const tails = Array.from(cells, (cell) => {
    const tail = cell.textContent.match(/[.e].*/)?.[0] ?? '';
    return tail.length - (tail[0] === '.' ? .5 : 0);
  });
  const widest = Math.max(0, ...tails);
  Array.from(cells).forEach((cell, i) => {
    cell.style.paddingRight = `calc(.5rem + ${widest - tails[i]}ch)`;
  });
}

// --- header ----------------------------------------------------------------------------------
function facts(run) {
  const seconds = Object.keys(run.seconds).map((key) => `${key} ${run.seconds[key].toFixed(1)} s`);
  return [run.model ?? `model ${DASH}`,
    run.entry === null ? 'no edit' : `entry ${run.entry ?? DASH}`, `parity ${run.parity ?? DASH}`,
    `weights ${run.weights_hash?.slice(0, 12) ?? DASH}`,
    `expunge ${run.expunge ?? DASH}`, seconds.join(', ')];
}
// What all runs have in common is said once.
function header() {
  const all = runs.map(facts);
  const same = (i) => all.every((other) => other[i] === all[0][i]);
  const line = (texts) => texts.filter((text) => text).join(' · ');
  const title = `${runs[0].suite ?? 'Evaluation'}: ${same(0) ? all[0][0] : `${runs.length} runs`}`;
  document.title = `${title} – expunge`;
  document.querySelector('h1').textContent = title;
  $('common').textContent = line(all[0].filter((_, i) => i > 0 && same(i)));
  $('runs').append(...runs.map((run, r) => el('li', {title: run.weights_hash},
    el('strong', {}, run.label), ' ',
    el('span', {class: 'soft'}, line(all[r].filter((_, i) => !same(i)))))));
  $('warning').hidden = same(2);
}

// --- summary ---------------------------------------------------------------------------------
const GROUPS = [
  ['Headline', /^(forget_quality|model_utility)/], ['Forget set', /^forget_/],
  ['Retain set', /^retain_/], ['Real authors', /^(ra|real_authors)_/],
  ['World facts', /^(wf|world_facts)_/], ['Other', /^/],
];
const HIGHER = /^(forget_quality|model_utility|retain_|ra_|real_authors_|wf_|world_facts_)/;
const LOWER = /^(forget_Q_A_|exact_memorization|extraction_strength)/;
const summaryKeys = [...new Set(runs.flatMap((run) =>
  [...Object.keys(run.summary), ...Object.keys(run.absent)]))];
const log10 = (run, key) => number(run.summary, `${key}_log10`) ??
  (number(run.summary, key) > 0 ? Math.log10(number(run.summary, key)) : undefined);

function summaryRow(key) {
  const isPower = key === 'forget_quality' || summaryKeys.includes(`${key}_log10`);
  const log = (run) => isPower ? log10(run, key) : undefined;
  const aim = HIGHER.test(key) ? ' ↑' : LOWER.test(key) ? ' ↓' : '';
  const row = el('tr', {}, el('th', {scope: 'row', title: key}, key,
    el('span', {class: 'soft'}, aim)));
  runs.forEach((run, i) => {
    const x = number(run.summary, key);
    row.append(el('td', {class: 'value', title: own(run.absent, key)},
      log(run) === undefined ? format(x) : power(log(run))));
    if (i === 0) return;
    const ratio = log(run) - log(runs[0]);  // NaN where one is missing
    const difference = isPower ? NaN : x - number(runs[0].summary, key);
    row.append(el('td', {class: 'change'}, Number.isFinite(ratio) ? `×${power(ratio)}`
      : Number.isFinite(difference) ? change(difference) : ''));
  });
  return row;
}

function summary() {
  const head = el('tr', {}, el('td'));
  runs.forEach((run, i) => head.append(
    el('th', {scope: 'col', colspan: i ? 2 : 1}, el('span', {title: run.label}, run.label))));
  const left = new Set(summaryKeys);
  const bodies = GROUPS.map(([name, pattern]) => {
    const keys = [...left].filter((key) => pattern.test(key));
    keys.forEach((key) => left.delete(key));
    const span = 2 * runs.length;
    return keys.length ? el('tbody', {}, el('tr', {},
      el('th', {class: 'group', scope: 'rowgroup', colspan: span}, name)),
      ...keys.map(summaryRow)) : '';
  });
  $('summary').append(el('thead', {}, head), ...bodies);
  for (let column = 1; column < 2 * runs.length; ++column) {
    align($('summary').querySelectorAll(`tr > td:nth-child(${column + 1}):not(:empty)`));
  }
  const reasons = new Map();  // "key: reason" -> labels
  for (const run of runs) {
    for (const [key, reason] of Object.entries(run.absent)) {
      const line = `${key} is absent: ${reason}`;
      reasons.set(line, [...reasons.get(line) ?? [], run.label]);
    }
    for (const [key, records] of Object.entries(run.left_out)) {
      const line = `${key} leaves out ${records}`;
      reasons.set(line, [...reasons.get(line) ?? [], run.label]);
    }
    if (run.skipped) {
      const line = `items left out because they exceed the model's context: ${run.skipped}`;
      reasons.set(line, [...reasons.get(line) ?? [], run.label]);
    }
  }
  $('absent').append(...[...reasons].map(([line, labels]) =>
    el('li', {}, line + (labels.length < runs.length ? ` (${labels.join(', ')})` : ''))));
}

// --- plot ------------------------------------------------------------------------------------
const round = (x) => String(Number(x.toPrecision(4)));
const AXES = [
  {title: 'forget_quality', span: 4, range: [-Infinity, 0],
   of: (run) => log10(run, 'forget_quality'), label: (y) => y > -3 ? round(10 ** y) : power(y)},
  {title: '1 − forget_Q_A_ROUGE', span: .2, range: [0, 1],
   of: (run) => 1 - number(run.summary, 'forget_Q_A_ROUGE'), label: round},
];
function pointsOn(axis) {
  return runs.map((run, i) => ({run, i, x: number(run.summary, 'model_utility'), y: axis.of(run)}))
    .filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
}
// Round ticks around the values, over `span` at least where the range leaves room for it.
function ticks(values, span, range, count) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const slack = Math.max(span - (most - least), (most - least) * .1) / 2;
  const low = Math.max(least - slack, Math.min(range[0], least));
  const high = Math.min(most + slack, Math.max(range[1], most));
  const unit = 10 ** Math.floor(Math.log10((high - low) / count));
  const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= (high - low) / count);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({length: last - first + 1}, (_, i) => (first + i) * step);
}
function plot() {
  const axis = AXES.reduce((a, b) => pointsOn(b).length > pointsOn(a).length ? b : a);
  const points = pointsOn(axis);
  const powers = axis === AXES[0];
  const missing = runs.filter((run) => !points.some((point) => point.run === run));
  $('plot-note').textContent = [points.length && 'Up and to the right is better.',
    points.length && powers && 'Above the dashed line p > 0.05.', missing.length &&
    `Not drawn for want of figures: ${missing.map((run) => run.label).join(', ')}.`]
    .filter(Boolean).join(' ');
  $('plot').replaceChildren();
  $('plot').toggleAttribute('hidden', !points.length);
  if (!points.length) return;
  const [width, height, left, bottom, head] = [$('plot').clientWidth || 600, 330, 66, 44, 26];
  $('plot').setAttribute('viewBox', `0 0 ${width} ${height}`);
  const xs = ticks(points.map((point) => point.x), .1, [0, 1], width < 480 ? 3 : 5);
  const ys = ticks([...points.map((point) => point.y), ...powers ? [0] : []],
                   axis.span, axis.range, 5);
  const place = (value, list, from, to) =>
    from + (value - list[0]) / (list.at(-1) - list[0]) * (to - from);
  const px = (x) => place(x, xs, left, width - 16);
  const py = (y) => place(y, ys, height - bottom, head);
  const line = (x1, y1, x2, y2, kind) => shape('line', {x1, y1, x2, y2, class: kind});
  const text = (x, y, anchor, words, kind) =>
    shape('text', {x, y, 'text-anchor': anchor, class: kind}, words);
  const nodes = [text(4, 13, 'start', `↑ ${axis.title}`),
                 text(width - 16, height - 6, 'end', 'model_utility →')];
  for (const x of xs) {
    nodes.push(line(px(x), head, px(x), height - bottom, 'grid'),
               text(px(x), height - bottom + 17, 'middle', round(x)));
  }
  for (const y of ys) {
    nodes.push(line(left, py(y), width - 16, py(y), 'grid'),
               text(left - 8, py(y) + 4, 'end', axis.label(y)));
  }
  nodes.push(line(left, height - bottom, width - 16, height - bottom, 'axis'),
             line(left, head, left, height - bottom, 'axis'));
  const limit = Math.log10(.05);
  if (powers) nodes.push(line(left, py(limit), width - 16, py(limit), 'limit'));
  const taken = points.map((point) => ({x: px(point.x) - 7, y: py(point.y) - 7, w: 14, h: 14}));
  const apart = (a, b) => a.x + a.w <= b.x || b.x + b.w <= a.x ||
    a.y + a.h <= b.y || b.y + b.h <= a.y;
  const free = (box) => box.y > head - 16 && box.y + box.h < height - bottom &&
    taken.every((other) => apart(box, other));
  const names = [];
  for (const {run, i, x, y} of points.reverse()) {  // the base is drawn last, on top
    const name = run.label.length > 28 ? `${run.label.slice(0, 27)}…` : run.label;
    const w = name.length * 7.5 + 2;
    // The first free place beside the point, else farther up or down with a line to it.
    const sides = [px(x) + 9, px(x) - 9 - w].filter((at) => at > left && at + w < width);
    const boxes = [0, 17, -17, 34, -34, 51, -51, 68, -68].flatMap((dy) =>
      sides.map((at) => ({x: at, y: py(y) - 8 + dy, w, h: 16})));
    const box = boxes.find(free) ?? boxes[0] ?? {x: left, y: py(y) - 8, w, h: 16};
    taken.push(box);
    const [anchor, edge] = box.x > px(x) ? ['start', box.x] : ['end', box.x + w];
    if (box.y !== py(y) - 8) nodes.push(line(px(x), py(y), edge, box.y + 8, 'leader'));
    names.push(text(edge, box.y + 12, anchor, name, 'name'));
    nodes.push(shape('circle', {cx: px(x), cy: py(y), r: 5, class: i ? 'other' : 'first'},
                     shape('title', {}, run.label)));
  }
  $('plot').append(...nodes, ...names);
}

// --- items -----------------------------------------------------------------------------------
const PAGE = 100;  // rows a time: a long list opens as fast as a short one
let set, matches, descending = false;
const figureOf = (item, i) => number(item.runs[i], $('figure').value);
const option = ([value, words]) => el('option', {value}, words);

function words(text) {
  return [...text.matchAll(/[\p{L}\p{M}\p{N}]+/gu)].map((found) =>
    ({key: found[0].toLowerCase(), begin: found.index, end: found.index + found[0].length}));
}
// The reply, with the words that the true answer has too marked: each as often as it occurs there,
// which is how rouge1_recall counts, but by whole words and not by stems.
function marked(reply, answer) {
  const left = new Map();
  for (const {key} of words(answer)) left.set(key, (left.get(key) ?? 0) + 1);
  const ranges = [];
  let joined = false;  // neighbours share a mark
  for (const {key, begin, end} of words(reply)) {
    const hit = left.get(key) > 0;
    if (hit) {
      left.set(key, left.get(key) - 1);
      if (joined) ranges.at(-1).end = end; else ranges.push({begin, end});
    }
    joined = hit;
  }
  const nodes = [];
  let at = 0;
  for (const {begin, end} of ranges) {
    nodes.push(reply.slice(at, begin), el('mark', {}, reply.slice(begin, end)));
    at = end;
  }
  return [...nodes, reply.slice(at)];
}
function card(item, run, i) {
  const record = item.runs[i];
  const figures = Object.keys(record ?? {}).filter((key) => number(record, key) !== undefined);
  const reply = own(record, 'generation');
  return el('div', {class: 'card'}, el('span', {class: 'label'}, run.label),
    el('p', {class: 'text'}, ...reply !== undefined ? marked(reply, item.answer ?? '')
      : [record ? `${DASH} (no reply recorded)` : `${DASH} (not in this run)`]),
    el('dl', {}, ...figures.map((key) =>
      el('div', {}, el('dt', {}, key), el('dd', {}, format(record[key]))))));
}
function row(item) {
  const details = el('details', {class: 'item'}, el('summary', {class: 'row'},
    el('span', {class: 'id'}, item.id),
    el('span', {class: 'ask', dir: 'auto'}, item.question ?? DASH),
    ...runs.map((run, i) =>
      el('span', {class: 'value', title: run.label, 'data-run': run.label},
        format(figureOf(item, i))))));
  details.addEventListener('toggle', () => {
    item.open = details.open;
    if (!details.open || details.querySelector('.body')) return;
    details.append(el('div', {class: 'body'},
      el('div', {}, el('span', {class: 'label'}, 'True answer'),
        el('p', {class: 'text'}, item.answer ?? DASH)),
      el('div', {class: 'cards'}, ...runs.map((run, i) => card(item, run, i)))));
  });
  details.open = Boolean(item.open);
  return details;
}
function more() {
  const shown = $('list').children.length;
  $('list').append(...matches.slice(shown, shown + PAGE).map(row));
  align($('list').querySelectorAll('.value'));
  const left = matches.length - $('list').children.length;
  $('more').hidden = left <= 0;
  $('more').textContent = `Show ${Math.min(left, PAGE)} more`;
}
function list() {
  const query = $('search').value.trim().toLowerCase();
  const place = new Map(set.items.map((item, i) => [item, i]));
  const [kind, index] = $('sort').value.split(':');
  const key = (item) => kind === 'item' ? place.get(item)
    : figureOf(item, index) - (kind === 'change' ? figureOf(item, 0) : 0);
  matches = set.items.filter((item) => {
    const texts = () => [item.question, item.answer,
      ...item.runs.map((record) => own(record, 'generation'))];
    item.hay ??= texts().filter((text) => text !== undefined).join('\n').toLowerCase();
    return item.hay.includes(query);
  }).map((item) => ({item, x: key(item)})).sort((a, b) =>  // what has no figure comes last
    Number.isNaN(a.x) - Number.isNaN(b.x) || (descending ? b.x - a.x : a.x - b.x) || 0)
    .map(({item}) => item);
  $('order').textContent = descending ? 'Descending ↓' : 'Ascending ↑';
  $('count').textContent = `${matches.length} of ${set.items.length} items`;
  $('list').replaceChildren();
  more();
}
function choose(name) {
  set = sets.find((other) => other.name === name);
  for (const button of $('sets').children) {
    button.setAttribute('aria-pressed', button.dataset.name === name);
  }
  const keys = new Set(set.items.flatMap((item) => item.runs.flatMap((record) =>
    Object.keys(record ?? {}).filter((key) => number(record, key) !== undefined))));
  const kept = $('figure').value || 'rougeL_recall';
  $('figure').replaceChildren(...[...keys].map((key) => option([key, key])));
  if (keys.has(kept)) $('figure').value = kept;
  list();
}
function items() {
  if (!sets.length) {
    $('items').replaceChildren();  // figures alone
    return;
  }
  $('sets').append(...sets.map(({name, items}) => el('button', {type: 'button', 'data-name': name},
    name, ' ', el('span', {class: 'soft'}, String(items.length)))));
  $('sort').append(...[['item:', 'item order'], ...runs.map((run, i) => [`run:${i}`, run.label]),
    ...runs.slice(1).map((run, i) => [`change:${i + 1}`, `change in ${run.label}`])].map(option));
  $('heading').append(el('span', {}, ''), el('span', {}, 'question'),
    ...runs.map((run) => el('span', {class: 'value', title: run.label}, run.label)));
  $('items').style.setProperty('--runs', runs.length);
  $('sets').addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (button) choose(button.dataset.name);
  });
  for (const id of ['figure', 'sort']) $(id).addEventListener('change', list);
  $('search').addEventListener('input', list);
  $('order').addEventListener('click', () => { descending = !descending; list(); });
  $('more').addEventListener('click', more);
  choose(sets[0].name);
}

header();
summary();
items();
new ResizeObserver(() => {
  // Rows stand in columns where the question keeps room beside the figures.
  const needed = Math.max(600, 280 + 92 * runs.length);
  $('items').classList.toggle('narrow', $('items').clientWidth < needed);
  plot();
}).observe(document.body);
