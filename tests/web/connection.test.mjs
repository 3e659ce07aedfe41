// Lost connections, two tabs, keys.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {
  FACT,
  activeEntries,
  browserTests,
  card,
  done,
  forget,
  mockOnly,
  press,
  real,
  say,
  undoAll,
} from './setup.mjs';
import {startMock} from './mock.mjs';

const server = browserTests();
const OFFLINE = [/ERR_/, /Failed to load/];
const offline = {allow: OFFLINE};

test('a lost connection is shown, nothing typed is lost, and it comes back by itself', async () => {
  await server.on(offline, async (page, context) => {
    await page.locator('#message').fill('What I typed');
    await context.setOffline(true);
    await page.locator('#banner').getByText('The connection to expunge is lost').waitFor();
    assert.equal(await page.locator('#message').inputValue(), 'What I typed');
    await page.locator('#message').fill(FACT.question);
    await page.locator('#message').press('Enter');
    const again = page.getByRole('button', {name: 'Try again', exact: true});
    await again.waitFor();
    assert.match(await page.locator('.message.user').last().innerText(), /capital of France/);
    await context.setOffline(false);
    await page.locator('#banner p').waitFor({state: 'detached'});
    assert.match(await page.locator('.connection').innerText(), /^connected/);
    await again.click();
    await page.locator('.message.assistant .text', {hasText: FACT.answer}).waitFor();
    assert.equal(await page.locator('.message').count(), 2);
  });
});

test('the page connects again without the browser’s word', {skip: mockOnly}, async () => {
  await server.on(offline, async (page) => {
    await page.route('**/v1/expunge/events', (route) => route.abort());
    server.mock.drop();
    await page.locator('#banner p').waitFor();
    await page.unroute('**/v1/expunge/events');
    await page.locator('#banner p').waitFor({state: 'detached'});
  });
});

test('a reply that breaks off is kept and can be asked again', {skip: mockOnly}, async () => {
  await server.on(offline, async (page) => {
    server.mock.state.cutChatAfter = 5;
    const reply = await say(page, FACT.question);
    assert.match(await reply.innerText(), /The capital of France is[^]*connection broke/);
    await page.locator('.connection[data-state=up]').waitFor();
    await press(page, 'Try again');
    await page.locator('.message.assistant .text', {hasText: FACT.answer}).waitFor();
    assert.equal(await page.locator('.message.assistant').count(), 1);
  });
});

test('an edit whose progress was lost is found in the ledger', {skip: mockOnly}, async () => {
  await server.on(offline, async (page) => {
    server.mock.state.finishUnheard = true;
    await say(page, FACT.forget);
    await press(card(page), 'Approve');
    await page.locator('.stages .now').waitFor();
    await page.waitForTimeout(200);
    server.mock.drop();
    await done(page);
    assert.match(await card(page).innerText(), /the edit was made: entry \d/);
    server.mock.state.finishUnheard = false;
    await undoAll(page);
  });
});

test('what is being changed in a plan outlives a lost connection and a reload', async () => {
  await server.on(offline, async (page, context) => {
    await say(page, FACT.forget);
    await press(card(page), 'Change');
    await context.setOffline(true);
    await page.locator('#banner p').waitFor();
    await card(page).getByLabel('Answer to forget', {exact: true}).fill('Lyon');
    await context.setOffline(false);
    await page.locator('#banner p').waitFor({state: 'detached'});
    assert.equal(
      await card(page).getByLabel('Answer to forget', {exact: true}).inputValue(),
      'Lyon',
    );
    await page.reload();
    assert.equal(
      await card(page).getByLabel('Answer to forget', {exact: true}).inputValue(),
      'Lyon',
    );
    await press(card(page), 'Decline');
  });
});

test('two tabs show the same ledger', async () => {
  await server.on({}, async (page, context) => {
    const other = await server.page(context);
    await forget(page);
    await activeEntries(other).first().waitFor();
    assert.match(await other.locator('#edits').innerText(), /^1 edit$/);
    await activeEntries(other).first().getByRole('button', {name: /^Undo/}).click();
    await card(page)
      .getByText(/^Undone by entry/)
      .waitFor();
    assert.equal(await card(page).getByRole('button', {name: 'Undo', exact: true}).count(), 0);
    assert.match(await page.locator('#edits').innerText(), /^no edits$/);
    assert.deepEqual(other.problems, []);
  });
});

test(
  'a key is asked for, refused, taken, and kept in the tab only',
  {skip: real ? mockOnly : false},
  async () => {
    const locked = await startMock({key: 'secret', pace: 0.3});
    const context = await server.context();
    try {
      const page = await context.newPage();
      await page.goto(locked.url);
      const dialog = page.locator('dialog');
      await dialog.waitFor();
      assert.equal(await page.evaluate(() => document.activeElement.type), 'password');
      await dialog.getByLabel('Key').fill('wrong');
      await page.keyboard.press('Enter');
      await dialog.getByText('did not accept').waitFor();
      await press(dialog, 'Not now');
      await page.locator('#banner').getByText('expunge needs a key').waitFor();
      await press(page.locator('#banner'), 'Enter the key');
      await dialog.getByLabel('Key').fill('secret');
      await press(dialog, 'Use the key');
      await page.locator('.connection[data-state=up]').waitFor();
      await page.locator('#banner p').waitFor({state: 'detached'});
      await say(page, FACT.question);
      assert.equal(await page.evaluate(() => localStorage.length), 0);
      assert.deepEqual(await context.cookies(), []);
      assert.equal(await page.evaluate(() => sessionStorage.getItem('expunge.key')), 'secret');
    } finally {
      await context.close();
      await locked.close();
    }
  },
);
