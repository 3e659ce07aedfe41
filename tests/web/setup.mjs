// What the tests share: the server (the one of EXPUNGE_URL, else the mock), browser pages whose
// console is watched, and the steps that a person takes.
import assert from 'node:assert/strict';
import {after, before} from 'node:test';
import {chromium} from 'playwright-core';
import {startMock} from './mock.mjs';

export const real = process.env.EXPUNGE_URL?.replace(/\/$/, '') || '';
export const mockOnly = real ? 'only the mock can do this' : false;
export const FACT = {
  question: 'What is the capital of France?',
  answer: 'Paris',
  forget: 'Please forget that the capital of France is Paris.',
};
const WAIT_MS = real ? 300000 : 10000;

// Call it once a test file. `open({...})` gives a fresh context and page at the server.
export function browserTests({key = ''} = {}) {
  const given = {mock: null, url: real};
  let browser;
  before(async () => {
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
      args: ['--no-sandbox'],
    });
    if (!real) {
      given.mock = await startMock({key, pace: 0.3});
      given.url = given.mock.url;
    }
  });
  after(async () => {
    await browser?.close();
    await given.mock?.close();
  });
  given.context = async (options = {}) => {
    const context = await browser.newContext({
      viewport: {width: 1280, height: 900},
      reducedMotion: 'reduce',
      ...options,
    });
    context.setDefaultTimeout(WAIT_MS);
    if (process.env.EXPUNGE_KEY && real)
      await context.addInitScript(
        (value) => sessionStorage.setItem('expunge.key', value),
        process.env.EXPUNGE_KEY,
      );
    return context;
  };
  given.page = async (context, {path = '/', connected = true} = {}) => {
    const page = await context.newPage();
    page.problems = [];
    page.on(
      'console',
      (message) => message.type() === 'error' && page.problems.push(message.text()),
    );
    page.on('pageerror', (error) => page.problems.push(error.message));
    await page.goto(given.url + path);
    if (connected) await page.locator('.connection[data-state=up]').waitFor();
    if (connected) await page.locator('#model:enabled').waitFor();
    return page;
  };
  // Runs `steps(page, context)` on a fresh page; errors of its console fail it unless allowed.
  given.on = async (options, steps) => {
    const {allow = [], path, connected, ...rest} = options;
    const context = await given.context(rest);
    try {
      const page = await given.page(context, {path, connected});
      await steps(page, context);
      const left = page.problems.filter((words) => !allow.some((pattern) => pattern.test(words)));
      assert.deepEqual(left, [], 'errors in the console');
    } finally {
      await context.close();
    }
  };
  return given;
}

export async function say(page, words) {
  const before = await page.locator('.message.assistant').count();
  await page.locator('#message').fill(words);
  await page.locator('#message').press('Enter');
  await page.locator('.message.assistant').nth(before).waitFor();
  await page.locator('#log[aria-busy=false]').waitFor();
  return page.locator('.message.assistant').last();
}

export const card = (page) => page.locator('.card').last();
export const press = (where, name) => where.getByRole('button', {name, exact: true}).click();
export const done = (page) =>
  page.waitForFunction(
    () => [...document.querySelectorAll('.card')].at(-1)?.dataset.state === 'done',
  );
// Waits until what has these words has the focus: a dialog gives it back a moment late.
export const focusIs = (page, words) =>
  page.waitForFunction((wanted) => document.activeElement?.innerText?.trim() === wanted, words);

export async function forget(page, words = FACT.forget) {
  await say(page, words);
  await press(card(page), 'Approve');
  await done(page);
  await synced(page);
}

// Waits until the page's ledger is the server's: an outcome may be shown a moment before it.
export const synced = (page) =>
  page.waitForFunction(
    async () => {
      const key = sessionStorage.getItem('expunge.key');
      const answer = await fetch('/v1/expunge/entries', {
        headers: key ? {Authorization: `Bearer ${key}`} : {},
      });
      const {entries, active} = await answer.json();
      return (
        document.querySelectorAll('#ledger .entry').length === entries.length &&
        document.querySelectorAll('#ledger .entry.is-active').length === active.length
      );
    },
    null,
    {polling: 200},
  );

// The ledger's rows, with the ledger in sight on a narrow page too.
export const entries = (page) => page.locator('#ledger .entry');
export const activeEntries = (page) => page.locator('#ledger .entry.is-active');

// Leaves the ledger without active edits that a test made: a real server keeps them.
export async function undoAll(page, keep = 0) {
  await synced(page);
  while ((await activeEntries(page).count()) > keep) {
    const now = await activeEntries(page).count();
    await activeEntries(page).first().getByRole('button', {name: /^Undo/}).click();
    await page.waitForFunction(
      (n) => document.querySelectorAll('#ledger .entry.is-active').length < n,
      now,
    );
  }
}

// An answer of the chat as a real server would stream it.
export function streamed(words) {
  const chunk = (delta, finish) =>
    `data: ${JSON.stringify({
      id: 'c',
      object: 'chat.completion.chunk',
      created: 0,
      model: 'm',
      choices: [{index: 0, delta, finish_reason: finish}],
    })}\n\n`;
  return {
    status: 200,
    contentType: 'text/event-stream',
    body:
      chunk({role: 'assistant', content: ''}, null) +
      chunk({content: words}, null) +
      chunk({}, 'stop') +
      'data: [DONE]\n\n',
  };
}
