// The page for everybody: axe finds nothing in any state, light or dark; nothing is wider than the
// screen; the keyboard is enough.
import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {test} from 'node:test';
import {FACT, browserTests, card, done, focusIs, mockOnly, press, say, undoAll} from './setup.mjs';

const server = browserTests();
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// Leads the page through its states and looks at each.
async function walk(page, context, look) {
  const go = async (view) => {
    await page.evaluate((to) => {
      location.hash = to;
    }, view);
    await page.locator(`body[data-view=${view}]`).waitFor();
  };
  await look('start');
  await say(page, FACT.question);
  await say(page, FACT.forget);
  await card(page).locator('summary').first().click();
  await look('plan');
  await press(card(page), 'Change');
  for (const summary of await card(page).locator('summary').all()) await summary.click();
  await card(page).getByLabel('Question', {exact: true}).fill(`${FACT.question} `.repeat(3).trim());
  await look('editing');
  await press(card(page), 'Drop the changes');
  await press(card(page), 'Approve');
  await page.locator('.stages .now').waitFor();
  await look('running');
  await done(page);
  for (const summary of await card(page).locator('.gate summary').all()) await summary.click();
  await look('done');
  const wide = page.viewportSize().width >= 1000;
  if (!wide) await go('ledger');
  const row = page.locator('.entry.is-active').first();
  await row.getByRole('button', {name: /^Evidence/}).click();
  await row.locator('.gates').waitFor();
  await page.locator('.export-fold > summary').click();
  await look('ledger');
  await row.getByRole('button', {name: /^Seal/}).click();
  await look('seal');
  await page.keyboard.press('Escape');
  await page.locator('#model').click();
  await look('model');
  await page.keyboard.press('Escape');
  await undoAll(page);
  await look('undone');
  await go('compare');
  await page.locator('#compare').getByLabel('Question').fill(FACT.question);
  await press(page.locator('#compare'), 'Ask both');
  await page.locator('#compare .note').waitFor();
  await look('compare');
  await go('chat');
  await context.setOffline(true);
  await page.locator('#banner p').waitFor();
  await say(page, 'Anybody there?');
  await look('lost');
}

for (const colorScheme of ['light', 'dark']) {
  for (const [width, height] of [
    [390, 844],
    [1440, 900],
  ]) {
    test(`axe and width: ${colorScheme}, ${width} px`, async () => {
      await server.on(
        {colorScheme, viewport: {width, height}, bypassCSP: true, allow: [/ERR_/]},
        async (page, context) => {
          await page.evaluate(axe);
          await walk(page, context, async (state) => {
            const found = await page.evaluate(() =>
              window.axe.run(document, {resultTypes: ['violations']}),
            );
            const words = found.violations.map(
              (v) => `${v.id}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join('; ')}`,
            );
            assert.deepEqual(words, [], `axe, ${state}`);
            assert.deepEqual(await tooWide(page), [], `width, ${state}`);
          });
        },
      );
    });
  }
}

// What sticks out of the screen, or of a part that scrolls up and down only.
const tooWide = (page) =>
  page.evaluate(() => {
    const out = [];
    for (const node of document.querySelectorAll(
      'body, #log, #ledger, #compare, dialog, .card, .panel, .folded, #composer',
    ))
      if (node.checkVisibility() && node.scrollWidth > node.clientWidth + 1)
        out.push(`${node.id || node.className}: ${node.scrollWidth} > ${node.clientWidth}`);
    if (document.documentElement.scrollWidth > innerWidth)
      out.push(`page: ${document.documentElement.scrollWidth}`);
    return out;
  });

test('no width between a phone and a desk scrolls sideways', async () => {
  await server.on({}, async (page) => {
    await say(page, `A${'very'.repeat(80)}wide word and \`${'code'.repeat(60)}\``);
    await say(page, FACT.forget);
    for (const width of [320, 390, 640, 768, 999, 1000, 1200, 1440]) {
      await page.setViewportSize({width, height: 800});
      assert.deepEqual(await tooWide(page), [], `${width} px`);
    }
    await press(card(page), 'Approve');
    await done(page);
    await page
      .locator('#ledger')
      .getByRole('button', {name: /^Evidence/})
      .first()
      .click();
    await page.locator('#ledger .gates').waitFor();
    for (const view of ['chat', 'ledger']) {
      await page.evaluate((to) => {
        location.hash = to;
      }, view);
      for (const width of [320, 390, 768, 1000, 1200]) {
        await page.setViewportSize({width, height: 800});
        assert.deepEqual(await tooWide(page), [], `${view}, ${width} px`);
      }
    }
    await undoAll(page);
  });
});

const focused = (page) =>
  page.evaluate(() => {
    const node = document.activeElement;
    const style = getComputedStyle(node);
    return {
      id: node.id,
      words: node.innerText?.trim() || node.getAttribute('aria-label') || '',
      tag: node.tagName,
      ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    };
  });

// Presses Tab until `found` is focused; every stop must be seen.
async function tabTo(page, found) {
  for (let i = 0; i < 80; ++i) {
    await page.keyboard.press('Tab');
    const now = await focused(page);
    if (now.tag === 'BODY') continue;
    assert.ok(now.ring, `no visible focus on ${now.tag} ${now.id} ${now.words}`);
    if (found(now)) return now;
  }
  throw new Error('Tab never got there');
}

test('the keyboard is enough', async () => {
  await server.on({}, async (page) => {
    await page.keyboard.press('Tab');
    assert.equal((await focused(page)).id, 'skip');
    await page.keyboard.press('Enter');
    assert.equal((await focused(page)).id, 'message');
    await page.keyboard.type(FACT.forget);
    await page.keyboard.press('Enter');
    await card(page).waitFor();
    await page.waitForFunction(() => document.activeElement.tagName === 'H3');
    await tabTo(page, (now) => now.words === 'Change');
    await page.keyboard.press('Enter');
    assert.equal((await focused(page)).tag, 'H3');
    await tabTo(page, (now) => now.words.startsWith('Neighbours'));
    await page.keyboard.press('Enter');
    await tabTo(page, (now) => now.words === '×');
    await page.keyboard.press('Enter');
    assert.equal((await focused(page)).words, '×');
    await tabTo(page, (now) => now.words === 'Approve the changed plan');
    await page.keyboard.press('Enter');
    await done(page);
    await page.waitForFunction(() => document.activeElement.tagName === 'H3');
    assert.match((await focused(page)).words, /orgotten/);
    await tabTo(page, (now) => now.words === 'Seal');
    await page.keyboard.press('Enter');
    await focusIs(page, 'Cancel');
    await page.keyboard.press('Enter');
    await focusIs(page, 'Seal');
    await page.keyboard.press('Shift+Tab');
    assert.equal((await focused(page)).words, 'Undo');
    await page.keyboard.press('Enter');
    await card(page)
      .getByText(/^Undone by entry/)
      .waitFor();
    await page.waitForFunction(() => document.activeElement.tagName === 'H3');
  });
});

test('what happens is said aloud', {skip: mockOnly}, async () => {
  await server.on({}, async (page) => {
    await page.evaluate(() => {
      window.heard = [];
      new MutationObserver(() => {
        const words = document.getElementById('announcer').textContent;
        if (words) window.heard.push(words);
      }).observe(document.getElementById('announcer'), {childList: true});
    });
    await say(page, FACT.question);
    await page.waitForTimeout(150);
    await say(page, FACT.forget);
    await page.waitForTimeout(150);
    await press(card(page), 'Approve');
    await done(page);
    await page.waitForTimeout(200);
    const heard = await page.evaluate(() => window.heard.join('\n'));
    for (const words of [
      /Model: The capital of France/,
      /A plan is ready/,
      /Looking for the edit/,
      /Every check passed/,
    ])
      assert.match(heard, words);
    await undoAll(page);
  });
});
