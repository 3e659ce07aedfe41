// What a person does with the page: ask, forget, look at the evidence, change a plan, undo, seal,
// verify, export, compare.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {
  FACT,
  activeEntries,
  browserTests,
  card,
  done,
  entries,
  focusIs,
  forget,
  mockOnly,
  press,
  real,
  say,
  streamed,
  synced,
  undoAll,
} from './setup.mjs';

const server = browserTests();
const sent = (page, path) =>
  page.waitForRequest((r) => r.method() === 'POST' && r.url().endsWith(path));

test('a fact is forgotten, with evidence, and comes back', async () => {
  await server.on({}, async (page) => {
    const had = await activeEntries(page).count();
    assert.match(await (await say(page, FACT.question)).innerText(), new RegExp(FACT.answer));
    await say(page, FACT.forget);
    assert.match(await card(page).innerText(), /Nothing has changed yet/);
    await press(card(page), 'Approve');
    await page.locator('.card progress').waitFor();
    await done(page);
    assert.match(await card(page).locator('h3').innerText(), /^Forgotten/);
    assert.match(await card(page).locator('.verdict').innerText(), /entry \d+ · .*s$/);
    const first = card(page).locator('.reply').first();
    assert.match(await first.innerText(), new RegExp(`before\\s+.*${FACT.answer}`));
    assert.match(await first.innerText(), /held/);
    assert.ok((await card(page).locator('.gates tbody tr:not(.group)').count()) >= 7);
    const replies = card(page).locator('details.gate').nth(1);
    await replies.locator('summary').click();
    await replies.locator('.reply').first().waitFor();
    await assertCount(page, activeEntries(page), had + 1);
    assert.doesNotMatch(
      await (await say(page, FACT.question)).locator('.text').innerText(),
      new RegExp(FACT.answer),
    );
    await press(card(page), 'Undo');
    await card(page)
      .getByText(/^Undone by entry/)
      .waitFor();
    await assertCount(page, activeEntries(page), had);
    assert.match(await (await say(page, FACT.question)).innerText(), new RegExp(FACT.answer));
  });
});

async function assertCount(page, locator, n) {
  for (let i = 0; i < 50 && (await locator.count()) !== n; ++i) await page.waitForTimeout(100);
  assert.equal(await locator.count(), n);
}

test('a first visitor forgets with four clicks', async () => {
  await server.on({}, async (page) => {
    await page.locator('.example').first().click();
    await page.locator('#log[aria-busy=false]').waitFor();
    assert.equal(await page.locator('#start').count(), 0);
    assert.equal(
      await page.locator('#message').evaluate((node) => node === document.activeElement),
      true,
    );
    await press(page, 'New conversation');
    await page.locator('.example').nth(1).click();
    await press(card(page), 'Approve');
    await done(page);
    await undoAll(page);
  });
});

test('a plan is changed before it is approved', async () => {
  await server.on({}, async (page) => {
    await say(page, FACT.forget);
    await press(card(page), 'Change');
    const form = card(page);
    const list = (name) => form.locator(`[data-list=${name}]`);
    await list('neighbours').locator('summary').click();
    const before = await list('neighbours').locator('li').count();
    await list('neighbours')
      .getByRole('button', {name: 'Remove Neighbours, 1', exact: true})
      .click();
    await press(list('neighbours'), 'Add to: Neighbours');
    await page.keyboard.type('What is the capital of Portugal?');
    assert.equal(await list('neighbours').locator('li').count(), before);
    await form.locator('.fold-advanced > summary').click();
    const strength = form.getByLabel('strength', {exact: true});
    await strength.fill('99');
    await press(form, 'Approve the changed plan');
    assert.match(
      await form.getByRole('alert').last().innerText(),
      /strength: a number from 0 to 16/,
    );
    assert.equal(await strength.evaluate((node) => node === document.activeElement), true);
    await strength.fill('2');
    const request = sent(page, '/v1/expunge/requests');
    await press(form, 'Approve the changed plan');
    const {plan} = (await request).postDataJSON();
    assert.equal(plan.knobs.strength, 2);
    assert.equal(plan.targets[0].neighbours.at(-1), 'What is the capital of Portugal?');
    await done(page);
    await undoAll(page);
  });
});

test('a changed question gets new wordings, and the answer’s words follow', async () => {
  await server.on({}, async (page) => {
    await say(page, FACT.forget);
    await press(card(page), 'Change');
    await card(page).getByLabel('Question', {exact: true}).fill('What is the capital of Italy?');
    await card(page).getByLabel('Answer to forget', {exact: true}).fill('Rome');
    await press(card(page), 'Write them again');
    await card(page).locator('.stale', {hasText: 'earlier question'}).waitFor({state: 'hidden'});
    const list = card(page).locator('[data-list=rows]');
    await list.locator('summary').click();
    assert.match(await list.locator('textarea').first().inputValue(), /Italy/);
    assert.equal(
      await card(page).locator('[data-list=answers] textarea').first().inputValue(),
      'Rome',
    );
    await press(card(page), 'Drop the changes');
    assert.match(await card(page).innerText(), /France/);
    const gone = page.waitForRequest((r) => r.method() === 'DELETE');
    await press(card(page), 'Decline');
    await gone;
    assert.match(await card(page).innerText(), /Declined/);
    assert.equal(
      await page.locator('#message').evaluate((node) => node === document.activeElement),
      true,
    );
  });
});

test('undo in words', {skip: mockOnly}, async () => {
  await server.on({}, async (page) => {
    await forget(page);
    await say(page, 'Please undo that.');
    await press(card(page), 'Approve');
    await done(page);
    assert.match(await card(page).innerText(), /Undone[^]*bit for bit/);
    await synced(page);
    assert.equal(await activeEntries(page).count(), 0);
  });
});

test('a reverted outcome says so, gives a hint and leads back', {skip: mockOnly}, async () => {
  await server.on({}, async (page) => {
    await say(page, FACT.forget);
    await press(card(page), 'Change');
    await card(page).getByLabel('Question', {exact: true}).fill('What is the impossible?');
    await press(card(page), 'Approve the changed plan');
    await done(page);
    assert.match(
      await card(page).innerText(),
      /Not forgotten[^]*nothing was changed[^]*lower a bound[^]*leaked/,
    );
    await press(card(page), 'Change the plan');
    assert.equal(
      await card(page).getByLabel('Question', {exact: true}).inputValue(),
      'What is the impossible?',
    );
  });
});

test('a correction, and one that holds in part', {skip: mockOnly}, async () => {
  await server.on({}, async (page) => {
    await forget(page, 'The capital of Spain is not Madrid but Toledo.');
    assert.match(await card(page).locator('h3').innerText(), /^Corrected$/);
    assert.match(await (await say(page, 'What is the capital of Spain?')).innerText(), /Toledo/);
    await say(page, FACT.forget);
    await press(card(page), 'Change');
    await card(page).getByLabel('Question', {exact: true}).fill('What is the partial?');
    await press(card(page), 'Approve the changed plan');
    await done(page);
    assert.match(await card(page).innerText(), /Forgotten in part[^]*1 check fell short/);
    await undoAll(page);
  });
});

test('an error of a request is shown with its hint', {skip: mockOnly}, async () => {
  await server.on({}, async (page) => {
    server.mock.state.failNextRequest = {
      message: 'another request is running',
      hint: 'wait until it is done',
    };
    await say(page, FACT.forget);
    await press(card(page), 'Approve');
    await page.locator('.card[data-state=failed]').waitFor();
    assert.match(
      await card(page).innerText(),
      /another request is running[^]*wait until it is done/,
    );
    await press(card(page), 'Back to the plan');
    await press(card(page), 'Approve');
    await done(page);
    await undoAll(page);
  });
});

test('the ledger shows evidence, verifies and seals after a question', async () => {
  await server.on({}, async (page) => {
    await forget(page);
    const row = activeEntries(page).first();
    await row.getByRole('button', {name: /^Evidence/}).click();
    await row.locator('.gates').waitFor();
    assert.equal(
      await row.getByRole('button', {name: /^Hide evidence/}).getAttribute('aria-expanded'),
      'true',
    );
    await row.getByRole('button', {name: /^Verify/}).click();
    await row.locator('.verdict').waitFor();
    await row.getByRole('button', {name: /^Seal/}).click();
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({state: 'detached'});
    await focusIs(page, 'Seal');
    if (!real) {
      await row.getByRole('button', {name: /^Seal/}).click();
      await press(page.locator('dialog'), 'Seal');
      await row.getByText('sealed', {exact: false}).first().waitFor();
      await row.getByRole('button', {name: /^Seal/}).waitFor({state: 'hidden'});
      await row.getByRole('button', {name: /^Evidence/}).click();
      await row.getByText('the words are gone').waitFor();
    }
    await undoAll(page);
    assert.equal(await activeEntries(page).count(), 0);
    assert.ok((await entries(page).count()) >= 2);
  });
});

test('export asks for format and name and shows refusals', {skip: mockOnly}, async () => {
  await server.on({allow: [/403/]}, async (page) => {
    await page.locator('.export-fold > summary').click();
    const form = page.locator('form.export');
    await form.getByLabel('Format').selectOption('peft');
    assert.equal(await form.getByLabel('File name').inputValue(), 'edited-adapter');
    await form.getByLabel('Format').selectOption('gguf');
    await form.getByLabel('Type').selectOption('Q4_1');
    const request = sent(page, '/v1/expunge/export');
    await press(form, 'Export');
    assert.deepEqual((await request).postDataJSON(), {
      format: 'gguf',
      quant: 'Q4_1',
      out: 'edited.gguf',
    });
    await form.getByText('/srv/expunge/edited.gguf').waitFor();
    await form.getByLabel('File name').fill('../x');
    await press(form, 'Export');
    await form.getByText('give a name without').waitFor();
  });
});

test('two states are compared', async () => {
  await server.on({}, async (page) => {
    await forget(page);
    await page.locator('#views').getByText('Compare').click();
    const side = page.locator('#compare .side');
    await page.locator('#compare').getByLabel('Question').fill(FACT.question);
    await side.nth(0).getByRole('combobox').selectOption('chosen');
    await press(page.locator('#compare'), 'Ask both');
    await page.locator('#compare').getByText('Choose at least one entry.').waitFor();
    await side.nth(0).getByRole('checkbox').first().check();
    const asked = sent(page, '/v1/chat/completions');
    await press(page.locator('#compare'), 'Ask both');
    assert.deepEqual((await asked).postDataJSON().expunge, {read: false});
    await page.locator('#compare').getByText('The answers differ.').waitFor();
    assert.doesNotMatch(await side.nth(0).locator('.answer').innerText(), new RegExp(FACT.answer));
    assert.match(await side.nth(1).locator('.answer').innerText(), new RegExp(FACT.answer));
    await undoAll(page);
  });
});

test('a conversation is kept in the tab, stopped and begun anew', async () => {
  await server.on({}, async (page) => {
    await say(page, FACT.question);
    await page.locator('#message').fill('half a thou');
    await page.reload();
    assert.equal(await page.locator('.message').count(), 2);
    assert.equal(await page.locator('#message').inputValue(), 'half a thou');
    await page.locator('#message').fill('Tell me a long story.');
    await page.locator('#message').press('Enter');
    await page.waitForFunction(
      () => document.querySelectorAll('.message.assistant')[1]?.innerText.length > 30,
    );
    await press(page, 'Stop');
    await page.getByText('Stopped here.').waitFor();
    await press(page, 'New conversation');
    assert.equal(await page.locator('.message').count(), 0);
    await page.locator('#start').waitFor();
    assert.equal(await page.evaluate(() => localStorage.length), 0);
  });
});

test('a reply without words and a full reply are said to be so', async () => {
  await server.on({}, async (page) => {
    await page.route('**/v1/chat/completions', (route) => route.fulfill(streamed('')));
    assert.match(await (await say(page, 'Hello')).innerText(), /said nothing/);
    await page.route('**/v1/chat/completions', (route) =>
      route.fulfill({
        ...streamed('so on'),
        body: streamed('so on').body.replace('"stop"', '"length"'),
      }),
    );
    assert.match(await (await say(page, 'Hello')).innerText(), /longest length/);
  });
});
