// The form that exports the edited model.
import {api} from './api.js';
import {h, said, field, fold, announce, errorBox, focusOn} from './dom.js';
import {t} from './texts.js';

const TYPES = {
  gguf: ['F32', 'F16', 'BF16', 'Q8_0', 'Q5_1', 'Q5_0', 'Q4_1', 'Q4_0'],
  safetensors: ['F32', 'F16', 'BF16'],
  peft: [],
};

export function exportForm() {
  const format = h(
    'select',
    {},
    Object.entries(t.export.formats).map(([value, words]) => h('option', {value}, words)),
  );
  const quant = h('select', {});
  const out = h('input', {
    type: 'text',
    dir: 'auto',
    autocomplete: 'off',
    spellcheck: 'false',
    value: t.export.names.gguf,
  });
  const go = h('button', {type: 'submit'}, t.export.go);
  const result = h('div', {class: 'panel', hidden: true});
  const quantField = field(t.export.quant, quant);
  const show = (...nodes) => {
    result.replaceChildren(...nodes);
    result.hidden = false;
  };
  const follow = () => {
    const types = TYPES[format.value];
    quant.replaceChildren(
      ...['', ...types].map((value) => h('option', {value}, value || t.export.usual)),
    );
    quantField.hidden = !types.length;
    if (Object.values(t.export.names).includes(out.value)) out.value = t.export.names[format.value];
  };
  format.addEventListener('change', follow);
  follow();
  const form = h(
    'form',
    {
      class: 'export',
      novalidate: true,
      onsubmit: async (event) => {
        event.preventDefault();
        if (go.disabled) return;
        if (!out.value.trim()) {
          show(errorBox({message: t.export.need}));
          focusOn(out);
          return;
        }
        go.disabled = true;
        show(h('p', {class: 'soft waiting'}, t.export.going));
        announce(t.export.going);
        try {
          show(
            ...written(
              await api.export({
                format: format.value,
                out: out.value.trim(),
                ...(quant.value ? {quant: quant.value} : {}),
              }),
            ),
          );
          announce(result.textContent);
        } catch (error) {
          show(errorBox(error));
        }
        go.disabled = false;
      },
    },
    h('p', {class: 'soft small'}, t.export.what),
    h('div', {class: 'grid'}, field(t.export.format, format), quantField, field(t.export.out, out)),
    h('div', {class: 'actions'}, go),
    result,
  );
  return fold(t.export.title, [form], {class: 'export-fold'});
}

function written(done) {
  const asked =
    done.gates?.passed === undefined ? '' : done.gates.passed ? t.export.passed : t.export.failed;
  return [
    h(
      'p',
      {class: 'verdict passed'},
      t.export.done(done.size_bytes),
      ' ',
      said(done.path || '', 'code'),
    ),
    asked ? h('p', {class: 'soft small'}, asked) : '',
  ];
}
