// Evidence: the gates before and after an edit, or as they are now, with every reply. Read as it
// comes: what a report does not hold is left out.
import {h, said} from './dom.js';
import {t, fixed} from './texts.js';

const SECTIONS = ['forgotten', 'kept', 'language', 'other'];

// The gates of a REPORT, or of a list of them, in one shape.
export function gatesOf(report) {
  const raw = report?.gates || (report?.entries || []).flatMap((entry) => entry.gates || []);
  const list = Array.isArray(raw)
    ? raw
    : Object.entries(raw).map(([name, gate]) => ({
        name,
        ...(typeof gate === 'object' ? gate : {}),
      }));
  return list.map((gate) => {
    const [section, label] = t.gates[gate.name] || ['other', gate.name || ''];
    return {
      ...gate,
      section: gate.section || section,
      label: gate.label || label,
      items: (gate.records || gate.items || []).map((item) => ({
        ...item,
        good: item.passed ?? item.good ?? item.held,
      })),
    };
  });
}

export const failedOf = (report) => gatesOf(report).filter((gate) => gate.passed === false).length;

// The first question that was to be forgotten, with its answer before and after.
export function headline(before, after) {
  const of = (report) => gatesOf(report).find((gate) => gate.name === 'exact')?.items[0];
  const then = of(before);
  const now = of(after);
  return now?.prompt ? {item: now, then: then && same(then, now) ? then : undefined} : null;
}

// Nodes that show a report; with `before`, both next to each other.
export function evidence({before, after}) {
  const gates = gatesOf(after);
  if (!gates.length) return [h('p', {class: 'soft'}, t.evidence.none)];
  const earlier = new Map(before ? gatesOf(before).map((gate) => [gate.name, gate]) : []);
  const sections = SECTIONS.map((name) => [
    name,
    gates.filter((gate) => gate.section === name),
  ]).filter(([, list]) => list.length);
  const rest = gates.filter((gate) => !SECTIONS.includes(gate.section));
  if (rest.length) sections.push(['other', rest]);
  const folds = gates
    .filter((gate) => gate.items.some((item) => item.prompt))
    .map((gate) => repliesOf(gate, earlier.get(gate.name), Boolean(before)));
  return [tableOf(sections, earlier, Boolean(before)), ...folds];
}

const same = (a, b) => a.prompt === b.prompt && (a.prefill || '') === (b.prefill || '');

function tableOf(sections, earlier, both) {
  const columns = both ? t.evidence.columns : t.evidence.now;
  const rows = sections.flatMap(([name, gates]) => [
    h(
      'tr',
      {class: 'group'},
      h('th', {scope: 'colgroup', colspan: columns.length}, t.evidence.sections[name]),
    ),
    ...gates.map((gate) => rowOf(gate, earlier.get(gate.name), both)),
  ]);
  return h(
    'table',
    {class: 'gates'},
    h('caption', {class: 'hidden'}, both ? t.evidence.caption : t.evidence.captionNow),
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        columns.map((name) => h('th', {scope: 'col'}, name)),
      ),
    ),
    h('tbody', {}, rows),
  );
}

// Shares as people count them: 3/4.
function valueOf(gate) {
  if (!gate || gate.value === undefined) return '–';
  const n = gate.asked ?? gate.n ?? gate.items.length;
  const share = gate.section !== 'language' && Number.isInteger(n) && n > 0;
  return share ? `${Math.round(gate.value * n)}/${n}` : fixed(gate.value, 3);
}

function rowOf(gate, before, both) {
  const asked = gate.absent === undefined && gate.value !== undefined;
  const sign =
    gate.sense === 'at_most' || (!gate.sense && gate.section === 'language')
      ? t.evidence.atMost
      : t.evidence.atLeast;
  const result = !asked
    ? t.evidence.absent
    : gate.passed === false
      ? t.evidence.fail
      : t.evidence.pass;
  return h(
    'tr',
    {},
    h(
      'th',
      {scope: 'row'},
      gate.label,
      gate.absent ? h('span', {class: 'absent soft'}, said(gate.absent)) : null,
    ),
    both ? h('td', {}, valueOf(before)) : null,
    h('td', {}, valueOf(gate)),
    h('td', {}, asked && gate.bound !== undefined ? `${sign} ${fixed(gate.bound, 2)}` : ''),
    h('td', {class: !asked ? 'soft' : gate.passed === false ? 'bad' : 'good'}, result),
  );
}

function repliesOf(gate, before, both) {
  const label = t.evidence.replies(gate.label, gate.items.length);
  const counts = [
    [true, 'good'],
    [false, 'bad'],
  ]
    .map(([good, kind]) => {
      const n = gate.items.filter((item) => item.good === good).length;
      return n ? `${n} ${word(gate.section, kind)}` : '';
    })
    .filter(Boolean)
    .join(', ');
  const list = h('ol', {class: 'replies'});
  const node = h(
    'details',
    {class: 'gate'},
    h('summary', {}, label, counts ? h('span', {class: 'soft'}, ` · ${counts}`) : null),
    list,
  );
  // Drawn when looked at: there may be hundreds.
  node.addEventListener('toggle', () => {
    if (list.firstChild) return;
    list.append(
      ...gate.items.map((item, i) =>
        h(
          'li',
          {},
          replyView(gate.section, item, both ? earlierItem(before, item, i) : undefined, both),
        ),
      ),
    );
  });
  return node;
}

function earlierItem(before, item, i) {
  const items = before?.items || [];
  return items[i] && same(items[i], item) ? items[i] : items.find((other) => same(other, item));
}

const word = (section, kind) => t.evidence[kind][section] || t.evidence[kind].other;

// One question with its replies and what they came to.
export function replyView(section, item, then, both) {
  const badge =
    item.good === undefined
      ? null
      : h(
          'span',
          {class: `badge ${item.good ? 'good' : 'bad'}`},
          word(section, item.good ? 'good' : 'bad'),
        );
  const line = (name, shown) =>
    h(
      'div',
      {},
      h('dt', {}, name),
      shown
        ? said(shown.reply || t.evidence.silent, 'dd', shown.reply ? 'said' : 'soft')
        : h('dd', {class: 'soft'}, t.evidence.missing),
    );
  return h(
    'div',
    {class: 'reply'},
    h('p', {class: 'asked'}, said(item.prompt || ''), badge ? [' ', badge] : null),
    item.prefill ? h('p', {class: 'soft small'}, `${t.evidence.begun} `, said(item.prefill)) : null,
    h(
      'dl',
      {class: 'pairs'},
      both ? line(t.evidence.before, then) : null,
      line(both ? t.evidence.after : t.evidence.reply, item),
    ),
  );
}
