// The page: header, views, the connection's banner; starts the parts.
import {forgetKey, hooks} from './api.js';
import {startChat} from './chat.js';
import {startCompare} from './compare.js';
import {askKey, showModel} from './dialogs.js';
import {$, h, button, announce, focusOn} from './dom.js';
import {startLedger} from './ledger.js';
import {connect, on, start, store} from './store.js';
import {t} from './texts.js';

const VIEWS = ['chat', 'ledger', 'compare'];
const wide = matchMedia('(min-width: 1000px)');

function startHeader() {
  $('product').textContent = t.product;
  $('skip').textContent = t.skip;
  $('skip').addEventListener('click', (event) => {
    event.preventDefault();
    location.hash = 'chat';
    show('chat');
    $('message').focus();
  });
  const facts = $('facts');
  facts.setAttribute('aria-label', t.header.label);
  const model = button(t.header.none, () => store.model && showModel(store.model), {
    class: 'quiet',
    id: 'model',
    disabled: true,
  });
  const memory = h('span', {class: 'soft'});
  const edits = h('span', {id: 'edits'});
  const connection = h('span', {id: 'connection', class: 'connection'});
  facts.append(model, memory, edits, connection);
  const drawFacts = () => {
    const known = store.model;
    model.disabled = !known;
    if (known) {
      model.replaceChildren(h('span', {dir: 'auto'}, known.name || t.model.title));
      model.setAttribute('aria-label', t.header.about(known.name || ''));
      memory.textContent =
        known.memory_bytes === undefined ? '' : t.header.memory(known.memory_bytes);
      edits.textContent = t.header.edits(store.active.length);
    }
  };
  const drawConnection = () => {
    const up = store.connection === 'up';
    connection.dataset.state = store.connection;
    connection.textContent = up
      ? t.connection.up
      : store.connection === 'starting'
        ? t.connection.starting
        : t.connection.down;
  };
  on('ledger', drawFacts);
  on('connection', drawConnection);
  drawConnection();
}

function startBanner() {
  let shown = '';
  const banner = $('banner');
  const hadFocus = () => banner.contains(document.activeElement);
  on('connection', () => {
    const state = store.connection;
    if (state === 'up' && shown) {
      announce(t.connection.back);
      if (hadFocus()) $('message').focus();
    }
    if (state === 'up') {
      shown = '';
      banner.replaceChildren();
    } else if (state === 'down' && shown !== 'down') {
      shown = 'down';
      banner.replaceChildren(
        h('p', {}, h('strong', {}, t.connection.lost), ' ', t.connection.trying),
        button(t.connection.now, connect),
      );
    } else if (state === 'locked' && shown !== 'locked') {
      shown = 'locked';
      banner.replaceChildren(
        h('p', {}, t.connection.locked),
        button(t.connection.enter, () => {
          forgetKey();
          connect();
        }),
      );
    }
  });
}

// --- views: the address's #part names the one that is shown ---
function startViews() {
  const nav = $('views');
  nav.setAttribute('aria-label', t.views.label);
  for (const view of VIEWS) nav.append(h('a', {href: `#${view}`, 'data-to': view}, t.views[view]));
  addEventListener('hashchange', () => {
    const view = show(wanted());
    focusOn(view === 'chat' ? $('message') : $(view));
  });
  // A wide page shows the ledger at the side of the others.
  wide.addEventListener('change', () => show(wanted()));
  show(wanted());
}

function wanted() {
  const view = location.hash.slice(1);
  return VIEWS.includes(view) ? view : 'chat';
}

function show(asked) {
  const view = wide.matches && asked === 'ledger' ? 'chat' : asked;
  document.body.dataset.view = view;
  for (const link of $('views').children) {
    if (link.dataset.to === view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  return view;
}

hooks.key = askKey;
startHeader();
startBanner();
startChat();
startCompare();
startLedger();
startViews();
start();
