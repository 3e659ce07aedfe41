// Building nodes. What a user or a model wrote becomes text nodes and properties, never markup.

// h('button', {type: 'button', onclick: f, class: 'quiet'}, 'Send'): `on…` are listeners, booleans
// set or leave out an attribute, everything else is an attribute unless null or undefined.
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'value') node.value = value;
    else if (typeof value === 'boolean') node.toggleAttribute(name, value);
    else node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

export const $ = (id) => document.getElementById(id);

// A text of unknown language: its own direction, line breaks as they are.
export const said = (words, tag = 'span', cls = 'said') => h(tag, {dir: 'auto', class: cls}, words);

export const button = (label, onclick, attributes = {}) =>
  h('button', {type: 'button', onclick, ...attributes}, label);

let ids = 0;
export const fresh = (stem) => `${stem}-${++ids}`;

// A label above its field. `help` is read out with the field.
export function field(label, control, help) {
  control.id ||= fresh('field');
  const parts = [h('label', {for: control.id}, label), control];
  if (help) {
    const id = fresh('help');
    control.setAttribute('aria-describedby', id);
    parts.push(h('span', {id, class: 'soft small'}, help));
  }
  return h('div', {class: 'field'}, parts);
}

// For screen readers: said once, politely. The same words twice are said twice.
export function announce(words) {
  const region = $('announcer');
  if (!region) return;
  region.textContent = '';
  setTimeout(() => {
    region.textContent = words;
  }, 60);
}

export function focusOn(node) {
  if (!node) return;
  if (!node.matches('a[href],button,input,select,textarea,summary,[tabindex]')) node.tabIndex = -1;
  node.focus({preventScroll: true});
  node.closest('.card')?.scrollIntoView({block: 'nearest'});
  node.scrollIntoView({block: 'nearest'});
}

export function fold(label, children, attributes = {}) {
  return h('details', attributes, h('summary', {}, label), h('div', {class: 'folded'}, children));
}

// An error with its hint. `actions` are buttons.
export function errorBox(error, actions = []) {
  return h(
    'div',
    {class: 'error', role: 'alert'},
    h('p', {}, said(error.message || String(error))),
    error.hint ? h('p', {class: 'soft'}, said(error.hint)) : null,
    actions.length ? h('div', {class: 'actions'}, actions) : null,
  );
}

// Calls `draw` once a frame at most, with the last arguments, and at once when flushed.
export function eachFrame(draw) {
  let wanted = null;
  let frame = 0;
  const run = () => {
    cancelAnimationFrame(frame);
    frame = 0;
    if (wanted) draw(...wanted);
    wanted = null;
  };
  const call = (...args) => {
    wanted = args;
    frame ||= requestAnimationFrame(run);
  };
  call.flush = run;
  return call;
}
