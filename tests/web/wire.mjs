// What the stand-in server's routes are made with: refusals, event streams, waiting.
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export class Refusal extends Error {
  constructor(status, message, hint, type = 'invalid_request_error') {
    super(message);
    Object.assign(this, {
      status,
      body: {error: {message, type, code: 'invalid', hint, param: null}},
    });
  }
}

export function openStream(response) {
  response.writeHead(200, {'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store'});
  response.flushHeaders();
  return (data, event) =>
    response.write(`${event ? `event: ${event}\n` : ''}data: ${JSON.stringify(data)}\n\n`);
}
