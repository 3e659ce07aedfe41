// The conversation: messages, the streaming reply, the composer.
import {api, streamedError, cutError} from './api.js';
import {items, add, clear, save, load, draft, messages} from './conversation.js';
import {$, h, said, button, announce, eachFrame, errorBox, focusOn, fresh} from './dom.js';
import {markdown} from './markdown.js';
import {planCard} from './plan.js';
import {store} from './store.js';
import {t} from './texts.js';

const MAX_TOKENS = 400;
let running = null; // {abort, item}
let log, field, send, stop;

export function startChat() {
  log = $('log');
  log.setAttribute('aria-label', t.chat.log);
  $('chat-title').textContent = t.chat.title;
  buildComposer();
  load();
  drawAll();
}

function buildComposer() {
  field = h('textarea', {
    id: 'message',
    rows: '2',
    dir: 'auto',
    'aria-label': t.chat.label,
    placeholder: t.chat.placeholder,
    'aria-describedby': 'keys',
    value: draft.get(),
    oninput: () => draft.set(field.value),
    onkeydown: onKey,
  });
  send = h('button', {type: 'submit', class: 'primary'}, t.chat.send);
  stop = button(t.chat.stop, () => running?.abort.abort(), {hidden: true});
  $('composer').append(
    field,
    h(
      'div',
      {class: 'actions'},
      send,
      stop,
      button(t.chat.fresh, startFresh, {class: 'quiet', id: 'fresh'}),
      h('span', {id: 'keys', class: 'soft small'}, t.chat.keys),
    ),
  );
  $('composer').addEventListener('submit', (event) => {
    event.preventDefault();
    say(field.value);
  });
}

function onKey(event) {
  if (event.key === 'Escape' && running) running.abort.abort();
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  say(field.value);
}

function startFresh() {
  running?.abort.abort();
  clear();
  drawAll();
  announce(t.chat.cleared);
  field.focus();
}

function say(words) {
  if (!words.trim() || running) return;
  field.value = '';
  draft.set('');
  add({role: 'user', content: words.trim()});
  answer();
}

// Asks for the answer to what was said last.
async function answer() {
  const item = add({role: 'assistant', content: '', state: 'streaming'});
  drawAll();
  follow(true);
  const abort = new AbortController();
  running = {abort, item};
  busy(true);
  const redraw = eachFrame(() => {
    drawn(item);
    follow();
  });
  let last = null;
  try {
    const body = {
      model: store.modelId || store.model?.name || 'default',
      messages: messages(),
      stream: true,
      stream_options: {include_usage: true},
      max_tokens: MAX_TOKENS,
      temperature: 0,
    };
    for await (const {data} of api.chat(body, {signal: abort.signal})) {
      if (data.error) throw streamedError(data);
      const choice = data.choices?.[0];
      item.content += choice?.delta?.content ?? choice?.message?.content ?? '';
      if (choice?.finish_reason) last = choice.finish_reason;
      if (data.expunge) item.read = data.expunge;
      redraw();
    }
    if (!last) throw cutError();
    item.state = last === 'length' ? 'length' : 'done';
  } catch (error) {
    item.state = error.name === 'AbortError' ? 'stopped' : 'error';
    if (item.state === 'error') item.error = {message: error.message, hint: error.hint};
  }
  running = null;
  redraw.flush();
  finish(item);
}

function finish(item) {
  busy(false);
  if (!items.includes(item)) return;
  const {read} = item;
  delete item.read;
  if (read?.proposal && item.state === 'done')
    item.card = {proposal: read.proposal, sure: read.sure !== false, state: 'open'};
  save();
  drawn(item);
  follow();
  if (item.card) {
    announce(t.plan.opened);
    // Who is typing the next message is not interrupted.
    if (!field.value && nodeOf(item)) focusOn(nodeOf(item).querySelector('.card h3'));
  } else if (item.state !== 'error') {
    announce(item.content ? t.chat.said(item.content) : t.chat.empty);
  }
}

function busy(yes) {
  log.setAttribute('aria-busy', String(yes));
  const hadFocus = document.activeElement === (yes ? send : stop);
  send.hidden = yes;
  stop.hidden = !yes;
  if (hadFocus) field.focus();
  if (yes) announce(t.chat.waiting);
}

// Scrolls to the end if the end was in sight, or if asked to.
let wasAtEnd = true;
function follow(always = false) {
  if (always || wasAtEnd) log.scrollTop = log.scrollHeight;
}

// --- drawing ------------------------------------------------------------
const nodes = new Map();
const nodeOf = (item) => nodes.get(item.id)?.node;

function drawAll() {
  for (const [id, {node}] of nodes) {
    if (items.some((item) => item.id === id)) continue;
    node.remove();
    nodes.delete(id);
  }
  const start = $('start');
  if (items.length) start?.remove();
  else if (!start) log.append(startHere());
  items.forEach(drawn);
  $('fresh').disabled = items.length === 0;
  log.onscroll = () => {
    wasAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  };
}

function startHere() {
  return h(
    'div',
    {id: 'start', class: 'start'},
    h('h3', {}, t.start.title),
    h('p', {}, t.start.what),
    h(
      'ol',
      {'aria-label': t.start.label},
      t.start.examples.map(({label, words}) =>
        h(
          'li',
          {},
          h(
            'button',
            {
              type: 'button',
              class: 'example',
              onclick: () => {
                say(words);
                field.focus();
              },
            },
            h('span', {class: 'soft small'}, label),
            ' ',
            said(words),
          ),
        ),
      ),
    ),
  );
}

function frame(item) {
  const id = fresh('said');
  const who = item.role === 'user' ? t.chat.you : t.chat.model;
  const text = h('div', {class: 'text'});
  const foot = h('div', {class: 'foot'});
  const node = h(
    'article',
    {class: `message ${item.role}`, 'aria-labelledby': id},
    h('h3', {class: 'who', id}, who),
    text,
    foot,
  );
  log.append(node);
  return {node, text, foot, card: null};
}

// Draws an item, or draws again what of it may have changed.
function drawn(item) {
  if (!items.includes(item)) return;
  let parts = nodes.get(item.id);
  if (!parts) nodes.set(item.id, (parts = frame(item)));
  if (item.role === 'user') {
    if (!parts.text.firstChild) parts.text.append(said(item.content, 'p'));
    return;
  }
  const waiting = item.state === 'streaming' && !item.content;
  parts.text.replaceChildren(
    waiting ? h('p', {class: 'soft waiting'}, t.chat.waiting) : markdown(item.content),
  );
  parts.foot.replaceChildren(...footOf(item));
  if (item.card && !parts.card) {
    parts.card = planCard(item.card, {
      changed: save,
      leave: () => field.focus(),
      grew: () => follow(),
    });
    parts.node.append(parts.card);
  }
}

function footOf(item) {
  const again = button(t.chat.again, () => askAgain(item));
  if (item.state === 'error') return [errorBox(item.error, items.at(-1) === item ? [again] : [])];
  const note =
    {stopped: t.chat.stopped, length: t.chat.full}[item.state] ||
    (item.state === 'done' && !item.content ? t.chat.empty : '');
  return note ? [h('p', {class: 'soft small'}, note)] : [];
}

function askAgain(item) {
  if (running || items.at(-1) !== item) return;
  items.pop();
  save();
  field.focus();
  answer();
}
