// Compare: one question asked of the model in two states, side by side.
import {api, streamedError, cutError} from './api.js';
import {$, h, said, button, field, announce, eachFrame, errorBox, focusOn} from './dom.js';
import {markdown} from './markdown.js';
import {store, on} from './store.js';
import {t} from './texts.js';

let abort = null;

export function startCompare() {
  const question = h('textarea', {
    rows: '2',
    dir: 'auto',
    onkeydown: (event) => {
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      }
    },
  });
  const sides = [side(0, 'all'), side(1, 'none')];
  const problem = h('div', {role: 'alert'});
  const verdict = h('p', {class: 'note', hidden: true});
  const go = h('button', {type: 'submit', class: 'primary'}, t.compare.ask);
  const stop = button(t.compare.stop, () => abort?.abort(), {hidden: true});
  const busy = (yes) => {
    const focused = document.activeElement;
    go.hidden = yes;
    stop.hidden = !yes;
    if (focused === go) stop.focus();
    if (focused === stop) go.focus();
  };
  const form = h(
    'form',
    {
      class: 'compare',
      novalidate: true,
      onsubmit: async (event) => {
        event.preventDefault();
        if (abort) return;
        const words = question.value.trim();
        const fault = !words
          ? [t.compare.need, question]
          : sides.map((s) => s.fault()).find(Boolean) || null;
        problem.replaceChildren(fault ? errorBox({message: fault[0]}) : '');
        if (fault) {
          focusOn(fault[1]);
          return;
        }
        verdict.hidden = true;
        abort = new AbortController();
        busy(true);
        announce(t.compare.waiting);
        const answers = await Promise.all(sides.map((s) => s.ask(words, abort.signal)));
        abort = null;
        busy(false);
        if (answers.some((answer) => answer === null)) return;
        verdict.textContent = answers[0] === answers[1] ? t.compare.same : t.compare.differ;
        verdict.hidden = false;
        announce(`${t.compare.done} ${verdict.textContent}`);
      },
    },
    field(t.compare.question, question),
    h(
      'div',
      {class: 'sides'},
      sides.map((s) => s.node),
    ),
    problem,
    h('div', {class: 'actions'}, go, stop),
    verdict,
  );
  $('compare').append(
    h(
      'div',
      {class: 'column wide'},
      h('h2', {id: 'compare-title'}, t.compare.title),
      h('p', {class: 'soft'}, t.compare.what),
      form,
    ),
  );
}

// One state: its choice and its answer.
function side(i, first) {
  const chosen = new Set();
  const select = h(
    'select',
    {},
    ['all', 'none', 'chosen'].map((value) =>
      h('option', {value, selected: value === first}, t.compare[value]),
    ),
  );
  const picks = h('fieldset', {class: 'picks', hidden: true});
  const answer = h('div', {class: 'answer'});
  const draw = () => {
    const entries = (store.entries || []).filter((e) => e.active);
    const numbers = new Set(entries.map((e) => e.entry));
    for (const n of chosen) if (!numbers.has(n)) chosen.delete(n);
    const focused = picks.contains(document.activeElement) && document.activeElement.value;
    picks.replaceChildren(
      h('legend', {class: 'soft small'}, t.compare.entries),
      ...(entries.length
        ? entries.map((e) => pick(e, chosen))
        : [h('p', {class: 'soft'}, t.compare.noEntries)]),
    );
    if (focused) picks.querySelector(`[value="${CSS.escape(focused)}"]`)?.focus();
    picks.hidden = select.value !== 'chosen';
  };
  select.addEventListener('change', draw);
  on('ledger', draw);
  draw();
  const edits = () =>
    select.value === 'none'
      ? {expunge_entries: 'none'}
      : select.value === 'chosen'
        ? {expunge_entries: [...chosen].sort((a, b) => a - b)}
        : {};
  return {
    node: h(
      'div',
      {class: 'side', role: 'group', 'aria-label': t.compare.side[i]},
      field(t.compare.side[i], select),
      picks,
      answer,
    ),
    fault: () => (select.value === 'chosen' && !chosen.size ? [t.compare.pick, select] : null),
    ask: (words, signal) => ask(answer, words, edits(), signal),
  };
}

function pick(entry, chosen) {
  const box = h('input', {
    type: 'checkbox',
    value: String(entry.entry),
    onchange: () => {
      if (box.checked) chosen.add(entry.entry);
      else chosen.delete(entry.entry);
    },
  });
  box.checked = chosen.has(entry.entry);
  return h(
    'label',
    {class: 'check'},
    box,
    h('span', {}, `${entry.entry}. `, said(entry.title || t.ledger.noTitle)),
  );
}

// The answer's words; null if it failed or was stopped.
async function ask(node, words, edits, signal) {
  let reply = '';
  const draw = eachFrame(() =>
    node.replaceChildren(
      reply ? markdown(reply) : h('p', {class: 'soft waiting'}, t.compare.waiting),
    ),
  );
  draw();
  try {
    let ended = false;
    for await (const {data} of api.chat(
      {
        model: store.modelId || store.model?.name || 'default',
        stream: true,
        max_tokens: 400,
        temperature: 0,
        messages: [{role: 'user', content: words}],
        expunge: {read: false},
        ...edits,
      },
      {signal},
    )) {
      if (data.error) throw streamedError(data);
      const choice = data.choices?.[0];
      reply += choice?.delta?.content ?? choice?.message?.content ?? '';
      ended ||= Boolean(choice?.finish_reason);
      draw();
    }
    if (!ended) throw cutError();
    draw.flush();
    if (!reply) node.replaceChildren(h('p', {class: 'soft'}, t.compare.silent));
    return reply;
  } catch (error) {
    draw.flush();
    node.append(
      error.name === 'AbortError' ? h('p', {class: 'soft small'}, t.chat.stopped) : errorBox(error),
    );
    return null;
  }
}
