// The card of a proposal: the plan to approve, change or decline, then its progress and outcome.
// A card is data ({proposal, sure, state, edited, outcome, undone, error}) that lives in the
// conversation; its node is drawn from it.
import {api} from './api.js';
import {h, said, button, focusOn, fold, fresh, announce, errorBox} from './dom.js';
import {editor, LISTS, wordingOf} from './editor.js';
import {outcomeView, undoneView} from './outcome.js';
import {carryOut} from './run.js';
import {store, on, entryOf, refresh} from './store.js';
import {t} from './texts.js';

const UNSETTLED = new Set(['lost', 'stopped', 'reload']);
let latest = null; // the card approved last: an entry of now is not another's

// `changed` keeps the conversation; `leave` takes the focus when the card is done with; `grew` is
// told that there is more to see.
export function planCard(card, {changed, leave, grew}) {
  const id = fresh('card');
  const root = h('section', {class: 'card', 'aria-labelledby': id});
  const part = {root, id, card, changed, leave, grew};
  part.go = (state, {focus = true} = {}) => {
    const mine = root.contains(document.activeElement) || document.activeElement === document.body;
    card.state = state;
    changed();
    draw(part);
    if (focus && mine) focusOn(root.querySelector('h3'));
  };
  draw(part);
  // A lost run is settled, and an outcome gets its note, when the ledger is read again.
  on('ledger', () => {
    if (!root.isConnected) return;
    if (UNSETTLED.has(card.state) && (!latest || latest === card)) settle(part);
    if (card.state === 'done') {
      root.querySelector('.standing')?.replaceChildren(...standing(card));
      if (standing(card).length) root.querySelector('[data-undo]')?.remove();
    }
  });
  return root;
}

function draw(part) {
  const views = {
    open: openView,
    editing: editView,
    declined: declinedView,
    running: runningView,
    done: doneView,
  };
  part.root.replaceChildren(...(views[part.card.state] || endedView)(part));
  part.root.dataset.state = part.card.state;
}

const titleOf = ({proposal}) => t.plan.title[proposal.intent] || t.plan.title.forget;
const heading = (part, words) => h('h3', {id: part.id}, words);

// --- the plan as proposed ------------------------------------------------------------
function openView(part) {
  const {card} = part;
  const {proposal} = card;
  const undo = proposal.intent === 'undo';
  const targets = card.edited?.targets || proposal.plan?.targets || [];
  return [
    heading(part, titleOf(card)),
    card.sure && proposal.sure !== false ? null : h('p', {class: 'note'}, t.plan.unsure),
    undo ? h('p', {}, t.plan.entry(proposal.entry || {}), said(proposal.entry?.title || '')) : null,
    ...targets.map(targetView),
    proposal.plan?.reason
      ? h('p', {class: 'soft small'}, `${t.plan.reason}: `, said(proposal.plan.reason))
      : null,
    card.error ? errorBox(card.error) : null,
    h('p', {class: 'soft small'}, t.plan.nothing),
    h(
      'div',
      {class: 'actions'},
      button(t.plan.approve, () => approve(part), {class: 'primary'}),
      undo || !proposal.plan ? null : button(t.plan.change, () => change(part)),
      button(t.plan.decline, () => decline(part)),
    ),
  ].filter(Boolean);
}

function targetView(target) {
  const rows = [
    [t.plan.question, target.prompt],
    [t.plan.response, target.response || t.plan.asked],
    ...(target.replacement ? [[t.plan.replacement, target.replacement]] : []),
  ];
  const lists = LISTS.filter((name) => target[name]?.length);
  return h(
    'div',
    {class: 'target'},
    h(
      'dl',
      {class: 'pairs'},
      rows.map(([name, words]) => h('div', {}, h('dt', {}, name), said(words, 'dd'))),
    ),
    lists.length
      ? fold(
          t.plan.what,
          lists.map((name) => listView(name, target[name])),
        )
      : null,
  );
}

function listView(name, list) {
  const [label, help] = t.plan.lists[name];
  return [
    h('h4', {}, label, ' ', h('span', {class: 'soft'}, t.plan.count(list.length))),
    h('p', {class: 'soft small'}, help),
    h(
      'ul',
      {class: 'plain', dir: 'auto'},
      list
        .map(wordingOf)
        .map((w) =>
          h(
            'li',
            {},
            said(w.prompt),
            w.prefill ? h('span', {class: 'soft small'}, ' ', said(t.plan.begun(w.prefill))) : null,
          ),
        ),
    ),
  ];
}

// --- change, decline, approve ------------------------------------------------------------
function change(part) {
  part.card.edited ||= structuredClone(part.card.proposal.plan);
  part.card.error = null;
  part.go('editing');
}

function editView(part) {
  const {card} = part;
  return [
    heading(part, titleOf(card)),
    editor(card, {
      changed: part.changed,
      approve: () => approve(part),
      back: () => {
        card.edited = null;
        part.go('open');
      },
      decline: () => decline(part),
    }),
  ];
}

function declinedView(part) {
  return [heading(part, titleOf(part.card)), h('p', {}, t.plan.declined)];
}

function decline(part) {
  const {proposal} = part.card;
  if (proposal.id) api.decline(proposal.id).catch(() => {}); // it expires anyway
  part.go('declined', {focus: false});
  announce(t.plan.declined);
  part.leave();
}

// A changed plan is sent whole. An id that the server no longer knows, as after its restart, too.
async function approve(part) {
  const {card} = part;
  const {proposal} = card;
  const seal = card.seal ? {seal: true} : {};
  const whole = card.edited || (proposal.id ? null : proposal.plan);
  card.error = null;
  latest = card;
  card.head = store.entries?.[0]?.entry || 0;
  part.go('running');
  let result = await carryOut(
    part,
    whole ? {plan: whole, ...seal} : {proposal: proposal.id, ...seal},
  );
  if (result.error?.status === 404 && !whole && proposal.plan)
    result = await carryOut(part, {plan: proposal.plan, ...seal});
  if (whole && proposal.id) api.decline(proposal.id).catch(() => {});
  proposal.id = null;
  conclude(part, result);
}

function conclude(part, result) {
  const {card} = part;
  card.error = result.error ? {message: result.error.message, hint: result.error.hint} : null;
  if (result.outcome) card.outcome = result.outcome;
  if (result.undone) card.undone = result.undone;
  part.go(result.state);
  refresh();
  announce(
    part.root.querySelector('.verdict')?.textContent || part.root.querySelector('h3').textContent,
  );
}

function runningView(part) {
  const {proposal} = part.card;
  const words = proposal.plan?.targets?.[0]?.prompt || proposal.entry?.title || '';
  return [
    heading(part, t.run.title[proposal.intent] || t.run.title.forget),
    h('p', {}, said(words)),
    h('progress', {'aria-label': t.run.begin}),
    h(
      'ol',
      {class: 'stages', 'aria-label': t.run.title[proposal.intent] || t.run.title.forget},
      h('li', {class: 'now'}, t.run.begin),
    ),
    h(
      'div',
      {class: 'actions'},
      button(t.run.stop, () => part.abort?.abort()),
    ),
  ];
}

// --- afterwards ------------------------------------------------------------
function doneView(part) {
  const {card} = part;
  const again = () => {
    card.edited ||= structuredClone(card.proposal.plan);
    card.outcome = null;
    part.go('editing');
  };
  const view = card.undone
    ? undoneView(card.undone)
    : outcomeView(card.outcome, card.proposal.intent, {again: card.proposal.plan ? again : null});
  const node = h('div', {class: 'standing'}, standing(card));
  return [heading(part, view.title), ...view.nodes, node];
}

// Where an edit of this card stands by now.
function standing(card) {
  const entry = card.outcome?.entry && entryOf(card.outcome.entry);
  if (!entry || entry.active) return [];
  const by = /undone by (\d+)/.exec(entry.state || '');
  return [h('p', {class: 'note'}, by ? t.outcome.undone(by[1]) : t.outcome.gone)];
}

function endedView(part) {
  const {card} = part;
  const words = {
    failed: t.run.failed,
    stopped: t.run.stopped,
    lost: t.run.lost,
    reload: t.run.reload,
  }[card.state];
  const back = () => part.go(card.edited ? 'editing' : 'open');
  return [
    heading(part, titleOf(card)),
    h('p', {class: 'verdict'}, words),
    card.error && card.state === 'failed' ? errorBox(card.error) : null,
    h(
      'div',
      {class: 'actions'},
      card.proposal.plan || card.proposal.id ? button(t.run.retry, back) : null,
    ),
  ].filter(Boolean);
}

// After a lost connection: was the edit made all the same?
async function settle(part) {
  const {card} = part;
  const mine = store.entries?.find((e) => e.entry > (card.head || 0) && e.active);
  if (!mine || card.settling) return;
  card.settling = true;
  try {
    const full = await api.entry(mine.entry);
    const asked = full.plan?.targets?.[0]?.prompt;
    if (asked !== (card.edited || card.proposal.plan)?.targets?.[0]?.prompt) return;
    card.outcome = {
      verdict: mine.verdict || 'passed',
      entry: mine.entry,
      before: full.before,
      after: full.after,
      late: true,
    };
    part.go('done', {focus: false});
    announce(t.run.lostDone(mine.entry));
  } catch {
    /* the ledger shows it */
  } finally {
    delete card.settling;
  }
}
