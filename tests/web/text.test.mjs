// What a model says is text: markup stays text, Markdown becomes elements, every script has its
// direction.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {MARKUP, RIGHT_TO_LEFT} from './canned.mjs';
import {browserTests, say, streamed} from './setup.mjs';

const server = browserTests();
const answered = (page, words) =>
  page.route('**/v1/chat/completions', (route) => route.fulfill(streamed(words)));

test('markup in a reply stays text', async () => {
  await server.on({}, async (page) => {
    await answered(page, MARKUP);
    const reply = await say(page, 'Show me');
    assert.match(await reply.innerText(), /<img src=x onerror="document\.title='broken'">/);
    assert.equal(await reply.locator('img, script, b, iframe').count(), 0);
    assert.equal(await page.title(), 'expunge');
    const links = await reply
      .locator('a')
      .evaluateAll((nodes) => nodes.map((a) => [a.getAttribute('href'), a.rel]));
    assert.deepEqual(links, [
      ['https://example.org/a_(b)', 'noopener noreferrer'],
      ['https://example.org/page', 'noopener noreferrer'],
    ]);
    assert.match(await reply.innerText(), /\[bad\]\(javascript:alert\(1\)\)/);
    assert.equal(await reply.locator('h4').innerText(), 'A heading');
    assert.equal(await reply.locator('strong').first().innerText(), 'bold');
    assert.equal(await reply.locator('em').innerText(), 'italics');
    assert.equal(await reply.locator('ol > li').count(), 2);
    assert.equal(await reply.locator('ol ul > li').count(), 2);
    assert.equal(await reply.locator('pre code').innerText(), '<script>alert(1)</script>');
    assert.match(await reply.innerText(), /snake_case_name/);
  });
});

test('markup in what a user says and in an error stays text', async () => {
  await server.on({allow: [/400/]}, async (page) => {
    await page.route('**/v1/chat/completions', (route) =>
      route.fulfill({
        status: 400,
        contentType: 'application/json',
        body: JSON.stringify({
          error: {message: '<b>refused</b>', hint: '<i>do this</i>', type: 'invalid_request_error'},
        }),
      }),
    );
    const reply = await say(page, '<u>hello</u> **stars**');
    assert.match(await reply.innerText(), /<b>refused<\/b>[^]*<i>do this<\/i>/);
    assert.equal(
      await page
        .locator('.message.user')
        .innerText()
        .then((words) => words.includes('<u>hello</u> **stars**')),
      true,
    );
    assert.equal(await page.locator('.message u, .message b, .message i').count(), 0);
  });
});

test('right-to-left text runs right to left', async () => {
  await server.on({}, async (page) => {
    await answered(page, RIGHT_TO_LEFT);
    const reply = await say(page, 'ما هي عاصمة فرنسا؟');
    const direction = (node) => getComputedStyle(node).direction;
    assert.equal(await reply.locator('.text p').evaluate(direction), 'rtl');
    assert.equal(await reply.locator('.text ul').evaluate(direction), 'rtl');
    assert.equal(await page.locator('.message.user p').evaluate(direction), 'rtl');
    await page.locator('#message').fill('شكرا');
    assert.equal(await page.locator('#message').evaluate(direction), 'rtl');
  });
});

// What elements a text becomes, as HTML.
const CASES = [
  ['one\ntwo', '<p>one\ntwo</p>'],
  ['**a *b* c**', '<p><strong>a <em>b</em> c</strong></p>'],
  ['**open', '<p>**open</p>'],
  ['2 * 3 * 4', '<p>2 * 3 * 4</p>'],
  ['`a``b', '<p>`a``b</p>'],
  ['``a`b``', '<p><code>a`b</code></p>'],
  ['\\*no\\*', '<p>*no*</p>'],
  ['```\nopen **x**', '<pre><code>open **x**</code></pre>'],
  ['- a\n\n- b', '<ul><li>a</li><li>b</li></ul>'],
  ['3. a\n4. b', '<ol start="3"><li>a</li><li>b</li></ol>'],
  ['- a\n  - b\n- c', '<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>'],
  ['# a #\ntext', '<h4>a</h4><p>text</p>'],
  ['> a\n> b', '<blockquote><p>a\nb</p></blockquote>'],
  ['---', '<hr>'],
  ['a\r\n\r\nb', '<p>a</p><p>b</p>'],
  [
    '(see http://a.b/c).',
    '<p>(see <a href="http://a.b/c" rel="noopener noreferrer" target="_blank">http://a.b/c</a>).</p>',
  ],
  ['[x](data:text/html,1)', '<p>[x](data:text/html,1)</p>'],
  ['', ''],
];

test('Markdown becomes elements', async () => {
  await server.on({}, async (page) => {
    const made = await page.evaluate(
      async (sources) => {
        const {markdown} = await import('/markdown.js');
        return sources.map((source) => {
          const box = document.createElement('div');
          box.append(markdown(source));
          for (const node of box.querySelectorAll('*'))
            for (const name of ['dir', 'tabindex', 'class']) node.removeAttribute(name);
          return box.innerHTML;
        });
      },
      CASES.map(([source]) => source),
    );
    assert.deepEqual(
      made,
      CASES.map(([, html]) => html),
    );
  });
});

test('long and hostile text is drawn quickly', async () => {
  await server.on({}, async (page) => {
    const ms = await page.evaluate(async () => {
      const {markdown} = await import('/markdown.js');
      const start = performance.now();
      for (const piece of ['*', '_a', '[', '`', '> ', '- ', '**a ', '[a](', '\\', '#'])
        markdown(piece.repeat(3000));
      markdown('- a\n'.repeat(3000));
      markdown('> '.repeat(500) + 'deep');
      return performance.now() - start;
    });
    assert.ok(ms < 3000, `${ms} ms`);
  });
});
