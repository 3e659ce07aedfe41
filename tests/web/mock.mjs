// A stand-in for `expunge serve`: its HTTP interface with canned but stateful answers (world.mjs),
// so that the page can be developed and tested without a model.
//   node tests/web/mock.mjs [PORT] [KEY]
import {createServer} from 'node:http';
import {readFile} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';
import {dirname, extname, join} from 'node:path';
import {ROUTES} from './world.mjs';
import {Refusal} from './wire.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const WEB = join(here, '../../src/server/web');
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

// `pace` multiplies every wait: a request takes about 2 s at 1.
export async function startMock({port = 0, key = '', pace = 1} = {}) {
  const state = {
    entries: [],
    proposals: new Map(),
    listeners: new Set(),
    calls: [],
    nextProposal: 1,
    failNextRequest: null,
    cutChatAfter: 0,
    finishUnheard: false,
    pace,
  };
  const server = createServer((request, response) => serve(state, key, request, response));
  server.keepAliveTimeout = 500;
  const keepAlive = setInterval(
    () => state.listeners.forEach((r) => r.write(': alive\n\n')),
    15000,
  );
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    state,
    drop: () => server.closeAllConnections(),
    async close() {
      clearInterval(keepAlive);
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

async function serve(state, key, request, response) {
  response.setHeader('Content-Security-Policy', CSP);
  const path = new URL(request.url, 'http://mock').pathname;
  try {
    if (request.method === 'GET' && !path.startsWith('/v1/') && path !== '/health')
      return await serveFile(path, response);
    if (key && path !== '/health' && request.headers.authorization !== `Bearer ${key}`)
      throw new Refusal(
        401,
        'the key is missing or wrong',
        'send Authorization: Bearer KEY',
        'authentication_error',
      );
    let words = '';
    for await (const piece of request) words += piece;
    const body = words ? JSON.parse(words) : {};
    state.calls.push({method: request.method, path, body});
    const [, action, handler] =
      ROUTES.map(([method, pattern, run]) => [
        method === request.method,
        pattern.exec(path),
        run,
      ]).find(([ok, found]) => ok && found) || [];
    if (!handler)
      throw new Refusal(404, `no such path: ${path}`, 'see docs/api.md', 'not_found_error');
    const json = await handler({
      state,
      body,
      request,
      response,
      n: Number(action[1]),
      id: action[1],
    });
    if (json !== undefined) send(response, 200, json);
  } catch (error) {
    if (response.headersSent) return response.destroy();
    send(
      response,
      error.status || 500,
      error.body || {error: {message: String(error), type: 'server_error', hint: ''}},
    );
  }
}

async function serveFile(path, response) {
  const name = path === '/' ? 'index.html' : path.slice(1);
  if (!/^[\w.-]+$/.test(name)) return send(response, 404, {});
  try {
    const bytes = await readFile(join(WEB, name));
    response.writeHead(200, {
      'Content-Type': TYPES[extname(name)] || 'application/octet-stream',
      'X-Content-Type-Options': 'nosniff',
    });
    response.end(bytes);
  } catch {
    send(response, 404, {error: {message: 'no such file', type: 'not_found_error', hint: ''}});
  }
}

function send(response, status, json) {
  response.writeHead(status, {'Content-Type': 'application/json'});
  response.end(JSON.stringify(json));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const mock = await startMock({port: Number(process.argv[2] || 8080), key: process.argv[3] || ''});
  console.log(mock.url);
}
