// What several parts of the page show: the model, the ledger, the methods, the connection. Kept
// current by the events stream, which is opened again for as long as the page is looked at.
import {api, hooks} from './api.js';

// A stream without any byte for this long is taken for dead; keep-alives come every 15 s.
const SILENCE_MS = 40000;
const WAITS_MS = [500, 1000, 2000, 4000, 8000];

export const store = {
  model: null, // /v1/expunge/model
  modelId: '', // what chat completions are asked of
  entries: null, // newest first; null: not read yet
  active: [],
  methods: null, // /v1/expunge/methods
  connection: 'starting', // starting, up, down, locked
  ledgerError: null,
};

const listeners = new Map();
export function on(topic, listener) {
  if (!listeners.has(topic)) listeners.set(topic, new Set());
  listeners.get(topic).add(listener);
  return () => listeners.get(topic).delete(listener);
}
function tell(topic) {
  for (const listener of listeners.get(topic) || []) listener();
}

export const entryOf = (n) => store.entries?.find((e) => e.entry === n);

function setConnection(state) {
  if (store.connection === state) return;
  store.connection = state;
  tell('connection');
}

let attempts = 0;
let timer = 0;
let open = null; // the AbortController of the events stream

// Opens the events stream now, in place of the one there is.
export function connect() {
  clearTimeout(timer);
  open?.abort();
  open = new AbortController();
  follow(open);
}

function disconnect() {
  clearTimeout(timer);
  open?.abort();
  open = null;
}

async function follow(mine) {
  let silence = 0;
  const alive = () => {
    clearTimeout(silence);
    silence = setTimeout(() => {
      if (open === mine) retry();
    }, SILENCE_MS);
  };
  try {
    alive();
    for await (const event of api.events({signal: mine.signal, alive})) {
      if (open !== mine) return;
      attempts = 0;
      setConnection('up');
      if (event.event === 'changed') await refresh();
    }
    if (open === mine) retry();
  } catch (error) {
    if (open !== mine || error.name === 'AbortError') return;
    if (error.status === 401) {
      setConnection('locked');
    } else if (error.status === 403 || error.status === 404) {
      // waiting would not help
      setConnection('up');
      store.ledgerError = error;
      tell('ledger');
    } else {
      retry();
    }
  } finally {
    clearTimeout(silence);
  }
}

function retry() {
  setConnection('down');
  disconnect();
  timer = setTimeout(connect, WAITS_MS[Math.min(attempts++, WAITS_MS.length - 1)]);
}

// The ledger and the model as they are now. One reading at a time; what changes meanwhile is read
// after it.
let reading = null;
let stale = false;
export function refresh() {
  stale = true;
  reading ||= (async () => {
    while (stale) {
      stale = false;
      await readAll();
    }
  })().finally(() => {
    reading = null;
  });
  return reading;
}

async function readAll() {
  try {
    const [ledger, model] = await Promise.all([api.entries(), api.model()]);
    store.entries = [...(ledger.entries || [])].sort((a, b) => b.entry - a.entry);
    store.active = ledger.active || [];
    store.model = model;
    store.ledgerError = null;
    if (!store.modelId) {
      const models = await api.models().catch(() => ({}));
      store.modelId = models.data?.[0]?.id || model.name || '';
    }
    if (!store.methods) store.methods = await api.methods().catch(() => null);
  } catch (error) {
    if (error.network) return;
    store.ledgerError = error;
  }
  tell('ledger');
}

// A machine without a network still reaches its own server: the browser's word is checked.
async function probe() {
  const waited = AbortSignal.timeout(4000);
  try {
    await api.health(waited);
    if (store.connection === 'down') connect();
  } catch {
    if (open) retry();
  }
}

export function start() {
  hooks.lost = () => {
    if (open && store.connection !== 'down') {
      attempts = 0;
      retry();
    }
  };
  addEventListener('online', probe);
  addEventListener('offline', probe);
  // A tab that is not looked at gives its connection back: browsers allow six to a server.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) disconnect();
    else if (!open) connect();
  });
  addEventListener('pagehide', disconnect);
  addEventListener('pageshow', (event) => {
    if (event.persisted) connect();
  });
  connect();
}
