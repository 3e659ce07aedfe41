// The "Advanced" fold of a plan: method, its knobs, the bounds of the checks, sealing.
import {h, field, fold} from './dom.js';
import {store, on} from './store.js';
import {t} from './texts.js';

const low = (knob) => knob.min ?? knob.low ?? -Infinity;
const high = (knob) => knob.max ?? knob.high ?? Infinity;

// {node, check}: check gives {words, at} for the first number that is out of range.
export function advanced(card, changed) {
  const body = h('div', {class: 'advanced'});
  const numbers = []; // {control, spec, name}
  const draw = () => {
    numbers.length = 0;
    body.replaceChildren(...parts(card.edited, numbers, changed, draw), sealing(card, changed));
  };
  draw();
  // The methods may come after the card.
  if (!store.methods) {
    const off = on('ledger', () => {
      if (!store.methods) return;
      off();
      if (card.edited) draw();
    });
  }
  return {
    node: fold(t.plan.advanced, [body], {class: 'fold-advanced'}),
    check() {
      for (const {control, spec, name} of numbers) {
        if (control.value === '') continue;
        const x = Number(control.value);
        if (!Number.isFinite(x) || x < low(spec) || x > high(spec))
          return {words: t.plan.badNumber(name, low(spec), high(spec)), at: control};
      }
      return null;
    },
  };
}

function parts(plan, numbers, changed, redraw) {
  if (!store.methods) return [h('p', {class: 'soft'}, t.plan.noMethods)];
  const methods = store.methods.methods || [];
  const chosen = methods.find((m) => m.name === plan.method);
  const select = h(
    'select',
    {
      onchange: () => {
        plan.method = select.value;
        plan.knobs = {};
        changed();
        redraw();
        body().querySelector('select').focus();
      },
    },
    (chosen ? [] : [{name: plan.method || ''}])
      .concat(methods)
      .map((m) => h('option', {value: m.name, selected: m.name === plan.method}, m.name)),
  );
  const home = h(
    'div',
    {},
    field(
      t.plan.method,
      select,
      [chosen?.summary, chosen?.citation].filter(Boolean).join(' · ') || undefined,
    ),
  );
  const body = () =>
    home.isConnected ? home : document.querySelector('.card[data-state=editing] .advanced');
  plan.knobs ||= {};
  plan.gates ||= {};
  return [
    home,
    group(
      t.plan.knobs,
      (chosen?.knobs || []).map((spec) =>
        numberField(spec.name, spec, plan.knobs, numbers, changed),
      ),
    ),
    group(
      t.plan.gates,
      (store.methods.gates || []).map((spec) =>
        numberField(t.gates[spec.name]?.[1] || spec.name, spec, plan.gates, numbers, changed),
      ),
    ),
  ].filter(Boolean);
}

const group = (legend, fields) =>
  fields.length ? h('fieldset', {class: 'grid'}, h('legend', {}, legend), fields) : null;

// An empty field means the usual value.
function numberField(name, spec, values, numbers, changed) {
  const set = (words) => {
    if (words === '') delete values[spec.name];
    else if (Number.isFinite(Number(words))) values[spec.name] = Number(words);
    changed();
  };
  const now = values[spec.name];
  if (spec.choices?.length) {
    const select = h(
      'select',
      {onchange: () => set(select.value)},
      spec.choices.map((choice, i) =>
        h('option', {value: String(i), selected: i === (now ?? spec.default)}, choice),
      ),
    );
    return field(name, select, spec.help);
  }
  const control = h('input', {
    type: 'text',
    inputmode: 'decimal',
    autocomplete: 'off',
    value: now === undefined ? '' : String(now),
    placeholder: String(spec.default ?? ''),
    oninput: () => set(control.value.trim()),
  });
  numbers.push({control, spec, name});
  const range =
    Number.isFinite(low(spec)) && Number.isFinite(high(spec))
      ? t.plan.range(low(spec), high(spec))
      : '';
  const usual = spec.default === undefined ? '' : t.plan.standard(spec.default);
  return field(name, control, [spec.help, range, usual].filter(Boolean).join('; '));
}

function sealing(card, changed) {
  const box = h('input', {
    type: 'checkbox',
    onchange: () => {
      card.seal = box.checked;
      changed();
    },
  });
  box.checked = Boolean(card.seal);
  return h('label', {class: 'check'}, box, h('span', {}, t.plan.seal));
}
