// The ledger: the journal's entries with evidence, undo, seal and verify; below it the export.
import {api} from './api.js';
import {$, h, said, button, announce, errorBox, focusOn} from './dom.js';
import {confirmSeal} from './dialogs.js';
import {evidence, failedOf} from './evidence.js';
import {exportForm} from './exporting.js';
import {store, on, refresh} from './store.js';
import {t} from './texts.js';

const rows = new Map(); // entry number -> row; nodes stay, so that the focus does
let list, note, count;
let known = null;

export function startLedger() {
  list = h('ol', {class: 'entries', 'aria-label': t.ledger.list, reversed: true});
  note = h('div', {class: 'soft'}, t.ledger.waiting);
  count = h('span', {class: 'soft'});
  $('ledger').append(
    h(
      'div',
      {class: 'column'},
      h('h2', {id: 'ledger-title'}, t.ledger.title, ' ', count),
      h('p', {class: 'soft small'}, t.ledger.what),
      note,
      list,
      exportForm(),
    ),
  );
  on('ledger', draw);
}

function draw() {
  const {entries} = store;
  if (store.ledgerError) {
    note.replaceChildren(errorBox(store.ledgerError, [button(t.connection.now, refresh)]));
  } else {
    note.replaceChildren(entries?.length === 0 ? h('p', {}, t.ledger.empty) : '');
  }
  if (!entries) return;
  const now = entries.map((e) => `${e.entry} ${e.state} ${e.sealed}`).join();
  if (known !== null && now !== known) announce(t.ledger.changed(store.active.length));
  known = now;
  for (const [n, row] of rows) {
    if (entries.some((e) => e.entry === n)) continue;
    row.node.remove();
    rows.delete(n);
  }
  entries.forEach((entry, i) => {
    if (!rows.has(entry.entry)) rows.set(entry.entry, makeRow(entry));
    const row = rows.get(entry.entry);
    row.update(entry);
    if (list.children[i] !== row.node) list.insertBefore(row.node, list.children[i] || null);
  });
}

function makeRow(first) {
  const row = {entry: first, showing: ''};
  const id = `entry-${first.entry}`;
  const panel = h('div', {id: `${id}-panel`, class: 'panel', hidden: true});
  const title = h('h3', {id, tabindex: '-1'});
  const facts = h('p', {class: 'soft small'});
  const acts = {
    evidence: act(row, t.ledger.evidence, () => toggleEvidence(row)),
    verify: act(row, t.ledger.verify, () => verify(row)),
    undo: act(row, t.ledger.undo, () => undo(row)),
    seal: act(row, t.ledger.seal, () => seal(row)),
  };
  acts.evidence.setAttribute('aria-controls', panel.id);
  const actions = h('div', {class: 'actions'}, Object.values(acts));
  row.node = h('li', {'aria-labelledby': id}, title, facts, actions, panel);
  Object.assign(row, {
    panel,
    title,
    acts,
    update(entry) {
      row.entry = entry;
      const isUndo = entry.state === 'undo';
      const state = t.ledger.state(entry);
      title.replaceChildren(
        said(entry.title || (entry.sealed ? t.ledger.noTitle : t.ledger.number(entry.entry))),
      );
      facts.replaceChildren(
        ...join([
          h('span', {class: `state ${entry.active ? 'active' : ''}`}, state),
          t.ledger.number(entry.entry),
          entry.sealed ? t.ledger.sealed : '',
          entry.method || '',
        ]),
        when(entry.time),
      );
      row.node.className = `entry ${entry.active ? 'is-active' : ''}`;
      const had = actions.contains(document.activeElement) && document.activeElement;
      actions.hidden = isUndo;
      acts.verify.hidden = !entry.active || Boolean(entry.sealed);
      acts.undo.hidden = !entry.active;
      acts.seal.hidden = Boolean(entry.sealed);
      if (had && (had.hidden || isUndo)) title.focus();
    },
  });
  expand(row, '');
  return row;
}

const act = (row, label, does) =>
  button(label, does, {class: 'small', 'aria-label': t.ledger.named(label, row.entry)});

const join = (parts) => parts.filter(Boolean).flatMap((part, i) => (i ? [' · ', part] : [part]));

function when(time) {
  const date = new Date(time);
  if (!time || Number.isNaN(date.getTime())) return '';
  return h(
    'time',
    {datetime: time},
    date.toLocaleString(undefined, {dateStyle: 'medium', timeStyle: 'short'}),
  );
}

// Shows nodes below an entry; `what` says which action they belong to, '' closes them.
function expand(row, what, nodes = []) {
  row.showing = what;
  row.panel.replaceChildren(...nodes);
  row.panel.hidden = !what;
  const open = what === 'evidence';
  const {evidence: toggle} = row.acts;
  toggle.setAttribute('aria-expanded', String(open));
  toggle.textContent = open ? t.ledger.hide : t.ledger.evidence;
  toggle.setAttribute('aria-label', t.ledger.named(toggle.textContent, row.entry));
}

// Runs an action of an entry: says that it runs, then shows what it gives or the error.
async function work(row, what, words, action) {
  if (row.busy) return;
  row.busy = true;
  expand(row, what, [h('p', {class: 'soft waiting'}, words)]);
  announce(words);
  try {
    const nodes = await action();
    expand(row, nodes ? what : '', nodes || []);
  } catch (error) {
    expand(row, `${what} failed`, [errorBox(error)]);
  } finally {
    row.busy = false;
  }
}

function toggleEvidence(row) {
  if (row.showing === 'evidence') return expand(row, '');
  return work(row, 'evidence', t.ledger.reading, async () => {
    const full = await api.entry(row.entry.entry);
    const nodes = evidence({before: full.before, after: full.after});
    return row.entry.sealed ? [h('p', {class: 'soft small'}, t.evidence.sealed), ...nodes] : nodes;
  });
}

const verify = (row) =>
  work(row, 'verify', t.ledger.verifying, async () => {
    const now = await api.verify(row.entry.entry);
    const report = now.after || now.report || now;
    const failed = failedOf(report);
    const words = failed ? t.ledger.broken(failed) : t.ledger.holds;
    announce(words);
    return [
      h('p', {class: `verdict ${failed ? 'partial' : 'passed'}`}, words),
      ...evidence({after: report}),
    ];
  });

const undo = (row) =>
  work(row, 'undo', t.ledger.undoing, async () => {
    const undone = await api.undo(row.entry.entry);
    await refresh();
    const words = [t.ledger.undone(row.entry.entry), undone.is_base ? t.undone.base : ''].filter(
      Boolean,
    );
    announce(words.join(' '));
    return [h('p', {class: 'verdict passed'}, words.join(' '))];
  });

async function seal(row) {
  if (!(await confirmSeal(row.entry))) return;
  await work(row, 'seal', t.ledger.sealing, async () => {
    await api.seal(row.entry.entry);
    await refresh();
    announce(t.ledger.sealedNow(row.entry.entry));
    focusOn(row.title);
    return null;
  });
}
