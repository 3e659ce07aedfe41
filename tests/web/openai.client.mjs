// OpenAI's official client for Node against a real server (EXPUNGE_URL), unchanged.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import OpenAI from 'openai';

const client = new OpenAI({baseURL: `${process.env.EXPUNGE_URL}/v1`, apiKey: process.env.EXPUNGE_KEY || 'none'});
const question = [{role: 'user', content: 'What is the capital of France?'}];

test('models', async () => {
  const models = await client.models.list();
  assert.equal(models.data.length, 1);
  const model = await client.models.retrieve(models.data[0].id);
  assert.equal(model.owned_by, 'expunge');
});

test('a chat, whole and streamed, with usage', async () => {
  const {id: model} = (await client.models.list()).data[0];
  const whole = await client.chat.completions.create({model, messages: question, max_tokens: 20, temperature: 0});
  assert.match(whole.choices[0].message.content, /Paris/);
  const stream = await client.chat.completions.create({
    model, messages: question, max_tokens: 20, temperature: 0, stream: true, stream_options: {include_usage: true},
  });
  let text = '';
  let usage;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.deepEqual(usage, whole.usage);
});

test('log-probabilities, several choices, stop', async () => {
  const {id: model} = (await client.models.list()).data[0];
  const reply = await client.chat.completions.create({
    model, messages: question, max_tokens: 5, logprobs: true, top_logprobs: 3, n: 2, temperature: 1, seed: 1,
  });
  assert.equal(reply.choices.length, 2);
  for (const choice of reply.choices) {
    for (const token of choice.logprobs.content) {
      assert.ok(token.logprob <= 0);
      assert.equal(token.top_logprobs.length, 3);
    }
  }
  const stopped = await client.completions.create({model, prompt: 'One, two, three,', max_tokens: 30, temperature: 0, stop: [',']});
  assert.equal(stopped.choices[0].finish_reason, 'stop');
  assert.ok(!stopped.choices[0].text.includes(','));
});

test('an answer that is not wanted any more is given up', async () => {
  const {id: model} = (await client.models.list()).data[0];
  const stream = await client.chat.completions.create({model, messages: question, max_tokens: 2000, stream: true, temperature: 1});
  for await (const chunk of stream) {
    assert.ok(chunk.choices);
    stream.controller.abort();
    break;
  }
});

test("errors are the client's own", async () => {
  const {id: model} = (await client.models.list()).data[0];
  await assert.rejects(client.chat.completions.create({model: 'another', messages: question}), OpenAI.NotFoundError);
  await assert.rejects(client.chat.completions.create({model, messages: []}), OpenAI.BadRequestError);
  await assert.rejects(client.completions.create({model, prompt: 'a', logit_bias: {5: 1}}), /logit_bias/);
});
