// Pictures of the page's states, to look at: node tests/web/shots.mjs [FOLDER]
import {mkdir} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';
import {chromium} from 'playwright-core';
import {startMock} from './mock.mjs';

const out = process.argv[2] || fileURLToPath(new URL('screens', import.meta.url));
await mkdir(out, {recursive: true});
const mock = await startMock({pace: 0.4});
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
for (const colorScheme of ['light', 'dark']) {
  const context = await browser.newContext({colorScheme, viewport: {width: 1440, height: 900}});
  const page = await context.newPage();
  page.on('console', (m) => m.type() === 'error' && console.log('console:', m.text()));
  page.on('pageerror', (e) => console.log('page:', e.message));
  const shot = async (name) => {
    for (const [width, height] of [
      [390, 844],
      [1000, 800],
      [1440, 900],
    ]) {
      await page.setViewportSize({width, height});
      await page.waitForTimeout(150);
      await page.screenshot({path: `${out}/${name}-${width}-${colorScheme}.png`});
    }
  };
  const say = async (words) => {
    await page.locator('#message').fill(words);
    await page.locator('#message').press('Enter');
    await page.locator('#log[aria-busy=false]').waitFor();
  };
  await page.goto(mock.url);
  await page.locator('.connection[data-state=up]').waitFor();
  await shot('1-start');
  await say('What is the capital of France?');
  await say('Please forget that the capital of France is Paris.');
  await shot('2-plan');
  await page.locator('.card').getByRole('button', {name: 'Change'}).click();
  for (const name of ['Wordings (', 'Advanced'])
    await page.locator('.card summary', {hasText: name}).first().click();
  await shot('3-edit');
  await page
    .locator('.card')
    .getByLabel('Question', {exact: true})
    .fill('What is the capital of Spain?');
  await page.locator('.fold-advanced > summary').evaluate((node) => node.scrollIntoView());
  await shot('3-advanced');
  await page.getByRole('button', {name: 'Drop the changes'}).click();
  await page.getByRole('button', {name: 'Change', exact: true}).click();
  await page.getByRole('button', {name: 'Approve the changed plan'}).click();
  await page.waitForTimeout(500);
  await shot('4-run');
  await page.locator('.card[data-state=done]').waitFor();
  await page.locator('.card .gate summary').nth(3).click();
  await shot('5-done');
  await say('Show me markup');
  await shot('6-markup');
  await page.setViewportSize({width: 390, height: 844});
  await page.goto(`${mock.url}/#ledger`);
  await page.locator('.entry').first().getByRole('button', {name: 'Evidence'}).click();
  await page.locator('#ledger .gates').first().waitFor();
  await shot('7-ledger');
  await page.locator('.export-fold > summary').click();
  await page.locator('.entry').first().getByRole('button', {name: 'Seal'}).click();
  await shot('7-seal');
  await page.keyboard.press('Escape');
  await page.goto(`${mock.url}/#compare`);
  await page.locator('#compare textarea').fill('What is the capital of France?');
  await page.locator('#compare textarea').press('Enter');
  await page.locator('#compare .note').waitFor();
  await shot('8-compare');
  await page.goto(`${mock.url}/#chat`);
  await context.setOffline(true);
  await page.locator('#banner p').waitFor();
  await shot('9-lost');
  await context.setOffline(false);
  await page.setViewportSize({width: 720, height: 400});
  await page.waitForTimeout(800);
  await page.screenshot({path: `${out}/low-${colorScheme}.png`});
  await context.close();
}
await browser.close();
await mock.close();
