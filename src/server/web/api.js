// The HTTP interface: JSON calls, streams of server-sent events, the key, errors with their hint.
// A lost connection is reported to `hooks.lost`.
import {t} from './texts.js';

const KEY = 'expunge.key';

export const hooks = {
  lost: () => {},
  // Asks the person for a key: resolves to the key, or to null if they do not give one.
  key: async () => null,
};

export class ApiError extends Error {
  constructor({message, hint = '', code = '', status = 0, network = false}) {
    super(message);
    Object.assign(this, {hint, code, status, network});
  }
}

const networkError = () =>
  new ApiError({
    message: t.error.network,
    hint: t.error.networkHint,
    code: 'network',
    network: true,
  });
export const cutError = () =>
  new ApiError({message: t.error.cut, hint: t.error.networkHint, code: 'network', network: true});

function headers(body, accept) {
  const key = sessionStorage.getItem(KEY);
  return {
    ...(key ? {Authorization: `Bearer ${key}`} : {}),
    ...(body === undefined ? {} : {'Content-Type': 'application/json'}),
    Accept: accept,
  };
}

async function errorOf(response) {
  let said = {};
  try {
    said = (await response.json()).error || {};
  } catch {
    /* not JSON: the status has to do */
  }
  const wait = Number(response.headers.get('Retry-After'));
  const hints = [said.hint, wait > 0 ? t.error.later(wait) : ''].filter(Boolean);
  return new ApiError({
    message: said.message || t.error.bad(response.status),
    hint: hints.join(' '),
    code: said.code || said.type || '',
    status: response.status,
  });
}

let asking = null; // one question for the key, however many calls wait for it

async function askForKey(refused) {
  asking ||= hooks.key(refused).finally(() => {
    asking = null;
  });
  const key = await asking;
  if (!key) return false;
  sessionStorage.setItem(KEY, key);
  return true;
}

export function forgetKey() {
  sessionStorage.removeItem(KEY);
}

// The response to a call, asking for the key where one is needed.
async function send(method, path, body, {signal, accept = 'application/json'} = {}) {
  for (;;) {
    const used = sessionStorage.getItem(KEY);
    let response;
    try {
      response = await fetch(path, {
        method,
        signal,
        cache: 'no-store',
        headers: headers(body, accept),
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      hooks.lost();
      throw networkError();
    }
    if (response.ok) return response;
    if (response.status !== 401) throw await errorOf(response);
    // Another call may have been given a key meanwhile.
    if (sessionStorage.getItem(KEY) !== used) continue;
    const refusal = await errorOf(response);
    if (!(await askForKey(used !== null))) {
      throw new ApiError({
        message: refusal.message || t.error.locked,
        hint: refusal.hint || t.error.lockedHint,
        code: 'authentication_error',
        status: 401,
      });
    }
    signal?.throwIfAborted();
  }
}

export async function call(method, path, body, options) {
  const response = await send(method, path, body, options);
  let words;
  try {
    words = await response.text();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    hooks.lost();
    throw cutError();
  }
  try {
    return words ? JSON.parse(words) : {};
  } catch {
    throw new ApiError({message: t.error.parse, code: 'parse', status: response.status});
  }
}

// The events of a stream as {event, data}, data parsed; a server that answers with JSON gives one
// event without a name. "[DONE]" ends it. `alive` is called for every piece, comments too.
export async function* stream(method, path, body, {signal, alive = () => {}} = {}) {
  const response = await send(method, path, body, {signal, accept: 'text/event-stream'});
  if (!(response.headers.get('Content-Type') || '').includes('event-stream')) {
    yield {event: '', data: await response.json()};
    return;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = '';
  try {
    for (;;) {
      const {done, value} = await reader.read();
      if (done) return;
      alive();
      buffer += value;
      // A lone \r at the end may be half of a \r\n.
      const parts = buffer.split(/\r\n\r\n|\n\n|\r\r(?!\n)/);
      buffer = parts.pop();
      for (const part of parts) {
        const event = parseEvent(part);
        if (event === 'done') return;
        if (event) yield event;
      }
    }
  } catch (error) {
    if (error.name === 'AbortError' || error instanceof ApiError) throw error;
    hooks.lost();
    throw cutError();
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parseEvent(part) {
  let event = '';
  const data = [];
  for (const line of part.split(/\r\n|\n|\r/)) {
    const at = line.indexOf(':');
    if (at === 0) continue; // a comment
    const name = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? '' : line.slice(at + 1).replace(/^ /, '');
    if (name === 'event') event = value;
    if (name === 'data') data.push(value);
  }
  if (!data.length) return null;
  const words = data.join('\n');
  if (words.trim() === '[DONE]') return 'done';
  try {
    return {event, data: JSON.parse(words)};
  } catch {
    throw new ApiError({message: t.error.parse, code: 'parse'});
  }
}

// An error that came inside a stream or a reply.
export function streamedError(data) {
  const said = (data && data.error) || {};
  return new ApiError({
    message: said.message || t.error.title,
    hint: said.hint || '',
    code: said.code || '',
  });
}

const get = (path) => call('GET', path);
const entry = (n, action = '') => `/v1/expunge/entries/${encodeURIComponent(n)}${action}`;

export const api = {
  health: (signal) => call('GET', '/health', undefined, {signal}),
  models: () => get('/v1/models'),
  model: () => get('/v1/expunge/model'),
  methods: () => get('/v1/expunge/methods'),
  entries: () => get('/v1/expunge/entries'),
  entry: (n) => get(entry(n)),
  undo: (n) => call('POST', entry(n, '/undo'), {}),
  seal: (n) => call('POST', entry(n, '/seal'), {}),
  verify: (n) => call('POST', entry(n, '/verify'), {}),
  plans: (body) => call('POST', '/v1/expunge/plans', body),
  decline: (id) => call('DELETE', `/v1/expunge/proposals/${encodeURIComponent(id)}`),
  export: (body) => call('POST', '/v1/expunge/export', body),
  request: (body, options) => stream('POST', '/v1/expunge/requests', body, options),
  chat: (body, options) => stream('POST', '/v1/chat/completions', body, options),
  events: (options) => stream('GET', '/v1/expunge/events', undefined, options),
};
