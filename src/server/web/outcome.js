// What became of a request: the verdict in words, the question before and after, the evidence.
import {api} from './api.js';
import {h, said, button, fold, announce, errorBox, focusOn} from './dom.js';
import {evidence, failedOf, headline, replyView} from './evidence.js';
import {entryOf} from './store.js';
import {t} from './texts.js';

// {title, nodes}. `again`: back to the plan, if there is one.
export function outcomeView(outcome, intent, {again}) {
  const kind = t.outcome[intent] ? intent : 'forget';
  const verdict = outcome.verdict;
  const failed = failedOf(outcome.after);
  const words =
    verdict === 'passed'
      ? t.outcome.passed
      : verdict === 'partial'
        ? t.outcome.partial(failed)
        : verdict === 'reverted'
          ? t.outcome.reverted
          : verdict;
  const total = typeof outcome.seconds === 'object' ? outcome.seconds?.total : outcome.seconds;
  const facts = [outcome.entry ? t.outcome.entry(outcome.entry) : '', t.outcome.took(total)]
    .filter(Boolean)
    .join(' · ');
  const first = headline(outcome.before, outcome.after);
  const hint = outcome.hint || (verdict === 'reverted' ? t.outcome.hint : '');
  const shown = evidence({before: outcome.before, after: outcome.after});
  return {
    title: t.outcome[kind][verdict] || t.outcome[kind].passed,
    nodes: [
      h(
        'p',
        {class: `verdict ${verdict}`},
        outcome.late ? `${t.run.lostDone(outcome.entry)} ` : '',
        words,
        facts ? h('span', {class: 'soft'}, ` ${facts}`) : null,
      ),
      first ? replyView('forgotten', first.item, first.then, true) : null,
      hint ? h('p', {class: 'note'}, said(hint)) : null,
      fold(t.evidence.title, shown, {class: 'evidence', open: true}),
      actions(outcome, again),
    ].filter(Boolean),
  };
}

function actions(outcome, again) {
  const box = h('div', {class: 'actions'});
  if (outcome.entry && (entryOf(outcome.entry)?.active ?? true)) {
    const undo = button(
      t.outcome.undo,
      async () => {
        undo.disabled = true;
        try {
          await api.undo(outcome.entry);
          announce(t.ledger.undone(outcome.entry));
          focusOn(box.closest('.card')?.querySelector('h3'));
          undo.remove();
        } catch (error) {
          undo.disabled = false;
          box.append(errorBox(error));
        }
      },
      {'data-undo': ''},
    );
    box.append(undo);
  }
  if (outcome.verdict !== 'passed' && again) box.append(button(t.outcome.change, again));
  return box;
}

export function undoneView(undone) {
  const others = undone.others || [];
  const asked = others.reduce((n, other) => n + (other.asked || 0), 0);
  const good = others.reduce((n, other) => n + (other.forgotten || 0), 0);
  return {
    title: t.undone.title,
    nodes: [
      h(
        'p',
        {class: 'verdict passed'},
        t.undone.what(undone.undone),
        h('span', {class: 'soft'}, ` ${t.outcome.took(undone.seconds)}`),
      ),
      undone.is_base ? h('p', {}, t.undone.base) : null,
      others.length
        ? h('p', {class: 'soft'}, t.undone.others(others.length, `${good}/${asked}`))
        : null,
    ].filter(Boolean),
  };
}
