// The dialogs: the key, the question before sealing, the facts of the model. A <dialog> keeps the
// focus inside and gives it back.
import {h, said, button, field, fresh} from './dom.js';
import {t, number, bytes} from './texts.js';

// Opens a dialog and resolves to what `done(value)` was given; null if it was left.
function ask(title, build) {
  return new Promise((resolve) => {
    const id = fresh('dialog');
    const node = h('dialog', {'aria-labelledby': id});
    const from = document.activeElement;
    let result = null;
    const done = (value) => {
      result = value;
      node.close();
    };
    node.append(h('h2', {id}, title), ...build(done));
    node.addEventListener('close', () => {
      node.remove();
      if (from?.isConnected) from.focus();
      resolve(result);
    });
    document.body.append(node);
    node.showModal();
    node.querySelector('[data-first]')?.focus();
  });
}

export function askKey(refused) {
  return ask(t.key.title, (done) => {
    const input = h('input', {
      type: 'password',
      autocomplete: 'off',
      spellcheck: 'false',
      'data-first': '',
    });
    const problem = h('p', {class: 'bad', role: 'alert'}, refused ? t.key.again : '');
    return [
      h('p', {}, t.key.why),
      h(
        'form',
        {
          novalidate: true,
          onsubmit: (event) => {
            event.preventDefault();
            const key = input.value.trim();
            if (key) done(key);
            else problem.textContent = t.key.empty;
          },
        },
        field(t.key.label, input),
        problem,
        h(
          'div',
          {class: 'actions'},
          h('button', {type: 'submit', class: 'primary'}, t.key.use),
          button(t.key.cancel, () => done(null)),
        ),
      ),
    ];
  });
}

// Resolves to true if the person says yes.
export function confirmSeal(entry) {
  return ask(t.ledger.sealTitle(entry.entry), (done) =>
    [
      entry.title ? h('p', {}, said(entry.title)) : null,
      h('p', {}, t.ledger.sealWhat),
      h(
        'div',
        {class: 'actions'},
        button(t.ledger.sealYes, () => done(true), {class: 'danger'}),
        button(t.ledger.sealNo, () => done(null), {'data-first': ''}),
      ),
    ].filter(Boolean),
  );
}

export function showModel(model) {
  const rows = [
    [t.model.name, model.name],
    [t.model.path, model.path],
    [t.model.architecture, model.architecture],
    [t.model.parameters, model.parameters === undefined ? undefined : millions(model.parameters)],
    [t.model.context, model.context],
    [t.model.memory, bytes(model.memory_bytes)],
    [t.model.hash, model.weights_hash],
    [t.model.active, model.active],
    [t.model.watchdog, model.watchdog],
    [t.model.version, model.version],
  ].filter(([, value]) => value !== undefined && value !== null && value !== '');
  return ask(t.model.title, (done) =>
    [
      h(
        'dl',
        {class: 'pairs'},
        rows.map(([name, value]) => h('div', {}, h('dt', {}, name), said(String(value), 'dd'))),
      ),
      model.notes?.length ? h('h3', {}, t.model.notes) : null,
      model.notes?.length
        ? h(
            'ul',
            {class: 'plain'},
            model.notes.map((note) => h('li', {}, said(String(note)))),
          )
        : null,
      h(
        'div',
        {class: 'actions'},
        button(t.error.close, () => done(null), {'data-first': ''}),
      ),
    ].filter(Boolean),
  );
}

const millions = (n) =>
  n < 1e6 ? number(n) : n < 1e9 ? `${Math.round(n / 1e6)} M` : `${(n / 1e9).toFixed(1)} B`;
