// What the stand-in server does: a ledger, a model that knows some capitals, requests in words.
import {
  EVASION,
  MARKUP,
  RIGHT_TO_LEFT,
  LONG,
  METHODS,
  MODEL,
  capitalOf,
  planOf,
  reportOf,
  asked,
} from './canned.mjs';
import {Refusal, openStream, sleep} from './wire.mjs';

// --- the ledger ------------------------------------------------------------
const active = (state) => state.entries.filter((e) => e.active).map((e) => e.entry);
const ledgerHead = (state) => ({head: state.entries.length, active: active(state)});
const changed = (state) =>
  state.listeners.forEach((response) =>
    response.write(`event: changed\ndata: ${JSON.stringify(ledgerHead(state))}\n\n`),
  );

const shown = ({entry, title, state, active: holds, method, verdict, sealed, time}) => ({
  entry,
  title: sealed ? '' : title,
  state,
  active: holds,
  method,
  verdict,
  sealed,
  time,
});

function entryOf(state, n) {
  const found = state.entries[n - 1];
  if (!found)
    throw new Refusal(
      404,
      `there is no entry ${n}`,
      'GET /v1/expunge/entries lists them',
      'not_found_error',
    );
  return found;
}

function commit(state, entry) {
  const added = {
    entry: state.entries.length + 1,
    sealed: false,
    time: new Date().toISOString(),
    ...entry,
  };
  state.entries.push(added);
  changed(state);
  return added;
}

function undo(state, n) {
  const found = entryOf(state, n);
  if (!found.active)
    throw new Refusal(
      409,
      `entry ${n} is not active`,
      'only active entries can be undone',
      'conflict_error',
    );
  found.active = false;
  found.state = `undone by ${state.entries.length + 1}`;
  const made = commit(state, {
    title: `undo of entry ${n}`,
    state: 'undo',
    active: false,
    method: '',
    verdict: 'undone',
  });
  return {
    undone: n,
    entry: made.entry,
    is_base: active(state).length === 0,
    others: active(state).map((entry) => ({entry, asked: 2, forgotten: 2})),
    seconds: 0.012,
  };
}

// --- what the model says ------------------------------------------------------------
function replyTo(state, words, entries) {
  const holds = entries === 'none' ? [] : Array.isArray(entries) ? entries : active(state);
  for (const n of [...holds].reverse()) {
    const target = state.entries[n - 1].plan.targets.find(
      (one) => asked(one.prompt) === asked(words),
    );
    if (target) return target.replacement || EVASION;
  }
  const capital = capitalOf(words);
  if (capital) return `The capital of ${capital.country} is **${capital.city}**.`;
  if (/markup/i.test(words)) return MARKUP;
  if (/arabic/i.test(words)) return RIGHT_TO_LEFT;
  if (/long/i.test(words)) return LONG;
  if (/nothing/i.test(words)) return '';
  return `You said: ${words}`;
}

function propose(state, proposal) {
  const made = {id: `p-${state.nextProposal++}`, sure: true, ...proposal};
  state.proposals.set(made.id, made);
  return made;
}

// What a message asks for: {words, expunge}.
function readMessage(state, words) {
  const forget = /forget (?:that )?the capital of (\w+)(?: is (\w+))?/i.exec(words);
  const correct = /the capital of (\w+) is not (\w+) but (\w+)/i.exec(words);
  if (correct || forget) {
    const intent = correct ? 'correct' : 'forget';
    const [, country, city, right] = correct || forget;
    const plan = planOf(intent, {
      prompt: `What is the capital of ${country}?`,
      response: city || '',
      replacement: right || '',
    });
    const proposal = propose(state, {intent, message: words, plan, sure: !/maybe/i.test(words)});
    return {
      words: `I can ${intent} this: what the capital of ${country} is. Please look at the plan.`,
      expunge: {intent, sure: proposal.sure, proposal, entries: []},
    };
  }
  if (/\bundo\b/i.test(words) && active(state).length) {
    const last = entryOf(state, active(state).at(-1));
    const proposal = propose(state, {
      intent: 'undo',
      message: words,
      entry: {entry: last.entry, title: last.title},
    });
    return {
      words: `I can undo entry ${last.entry}.`,
      expunge: {intent: 'undo', sure: true, proposal, entries: []},
    };
  }
  if (/what have you forgotten/i.test(words)) {
    const list = state.entries.filter((e) => e.active);
    return {
      words: list.length
        ? list.map((e) => `- ${e.title}`).join('\n')
        : 'Nothing has been forgotten yet.',
      expunge: {intent: 'status', sure: true, proposal: null, entries: list.map(shown)},
    };
  }
  return null;
}

async function chat({state, body, response}) {
  const words = body.messages?.at(-1)?.content;
  if (!words || body.messages.at(-1).role !== 'user')
    throw new Refusal(400, 'messages: the last one must be of the user', 'send the whole dialogue');
  const read = body.expunge?.read === false ? null : readMessage(state, words);
  const reply = read ? read.words : replyTo(state, words, body.expunge_entries);
  const pieces = reply.match(/\s*\S+|\s+$/g) || [];
  const write = openStream(response);
  const chunk = (delta, finish = null, more = {}) =>
    write({
      id: 'c-1',
      object: 'chat.completion.chunk',
      created: 0,
      model: MODEL.name,
      choices: [{index: 0, delta, finish_reason: finish}],
      ...more,
    });
  await sleep(150 * state.pace);
  chunk({role: 'assistant', content: ''});
  for (const [i, piece] of pieces.entries()) {
    if (response.destroyed) return;
    if (state.cutChatAfter && i >= state.cutChatAfter) {
      state.cutChatAfter = 0;
      response.destroy();
      return;
    }
    chunk({content: piece});
    await sleep(25 * state.pace);
  }
  chunk({}, 'stop', read ? {expunge: read.expunge} : {});
  response.end('data: [DONE]\n\n');
}

// --- requests ------------------------------------------------------------
function plans({state, body}) {
  const targets = body.targets || [];
  if (body.words) {
    const read = readMessage(state, `forget ${body.words}`);
    return {
      proposals: read?.expunge.proposal ? [read.expunge.proposal] : [],
      question: read ? '' : 'What is to be forgotten?',
    };
  }
  if (!targets.length || !targets[0].prompt)
    throw new Refusal(400, 'targets: nothing to forget', 'give words or targets');
  const intent = body.intent || 'forget';
  const plan = planOf(intent, targets[0]);
  plan.targets = targets.map((target) => planOf(intent, target).targets[0]);
  return {proposals: [propose(state, {intent, message: '', plan})], question: ''};
}

const STAGES = [
  ['asking the model', 12],
  ['capture', 8],
  ['search', 20],
  ['asking the gates', 40],
  ['commit', 1],
];

async function requests({state, body, response}) {
  const proposal = body.proposal ? state.proposals.get(body.proposal) : null;
  if (body.proposal && !proposal)
    throw new Refusal(404, `there is no proposal ${body.proposal}`, 'ask again', 'not_found_error');
  if (!proposal && !body.plan?.targets?.[0]?.prompt)
    throw new Refusal(400, 'plan.targets[0].prompt is empty', 'name the question');
  const write = openStream(response);
  if (state.failNextRequest) {
    write({error: state.failNextRequest}, 'error');
    state.failNextRequest = null;
    return void response.end();
  }
  if (proposal) state.proposals.delete(proposal.id);
  if (proposal?.intent === 'undo') {
    write(undo(state, proposal.entry.entry), 'outcome');
    return void response.end();
  }
  const plan = proposal?.plan || body.plan;
  for (const [stage, total] of STAGES) {
    for (let done = 0; done <= total; done += Math.ceil(total / 8)) {
      write({stage, done, total}, 'progress');
      await sleep(50 * state.pace);
      if (response.destroyed && !state.finishUnheard) return undefined;
    }
  }
  write(finishRequest(state, plan, Boolean(body.seal)), 'outcome');
  return void response.end();
}

function finishRequest(state, plan, sealed) {
  const prompt = plan.targets[0].prompt;
  const verdict = /impossible/i.test(prompt)
    ? 'reverted'
    : /partial/i.test(prompt)
      ? 'partial'
      : 'passed';
  const before = reportOf(plan, 'before');
  const after = reportOf(plan, verdict);
  const seconds = {total: 2.1, plan: 0.4, gates: 1.2};
  if (verdict === 'reverted')
    return {verdict, entry: 0, active: active(state).length, edit_norm: 0, seconds, before, after};
  const made = commit(state, {
    title: prompt,
    state: verdict === 'partial' ? 'active, partial' : 'active',
    active: true,
    method: plan.method,
    verdict,
    plan,
    before,
    after,
    sealed,
  });
  return {
    verdict,
    entry: made.entry,
    active: active(state).length,
    edit_norm: 0.0113,
    seconds,
    before,
    after,
  };
}

// Without the words, as the journal of a sealed entry; and under the journal's own names.
function recorded(report, sealed) {
  return {
    passed: report.passed,
    gates: report.gates.map(({asked: n, records, ...gate}) => ({
      ...gate,
      n,
      items: (records || []).map((r) =>
        sealed
          ? {good: r.passed}
          : {prompt: r.prompt, prefill: r.prefill || '', reply: r.reply, good: r.passed},
      ),
    })),
  };
}

function oneEntry({state, n}) {
  const found = entryOf(state, n);
  if (!found.plan) return {entry: shown(found), plan: null, before: {}, after: {}};
  return {
    entry: shown(found),
    plan: found.sealed ? null : found.plan,
    before: recorded(found.before, found.sealed),
    after: recorded(found.after, found.sealed),
  };
}

function seal({state, n}) {
  entryOf(state, n).sealed = true;
  changed(state);
  return {sealed: n};
}

function verify({state, n}) {
  const found = entryOf(state, n);
  if (found.sealed)
    throw new Refusal(501, `entry ${n} is sealed`, 'a sealed entry has no questions to ask');
  return {passed: true, entries: [{entry: n, ...recorded(found.after, false)}]};
}

function exported({body}) {
  if (!body.out) throw new Refusal(400, 'out: a file name is needed', 'name the file');
  if (body.out.includes('..'))
    throw new Refusal(
      403,
      `${body.out} is outside of the folder for exports`,
      'give a name without ..',
      'permission_error',
    );
  return {path: `/srv/expunge/${body.out}`, size_bytes: 91700000, gates: {passed: true}};
}

function events({state, response}) {
  const write = openStream(response);
  write(ledgerHead(state), 'changed');
  state.listeners.add(response);
  response.on('close', () => state.listeners.delete(response));
}

const slow = (ms, run) => async (given) => {
  await sleep(ms * given.state.pace);
  return run(given);
};

export const ROUTES = [
  ['GET', /^\/health$/, () => ({status: 'ok'})],
  ['GET', /^\/v1\/models$/, () => ({object: 'list', data: [{id: MODEL.name, object: 'model'}]})],
  ['POST', /^\/v1\/chat\/completions$/, chat],
  ['POST', /^\/v1\/expunge\/plans$/, slow(600, plans)],
  ['POST', /^\/v1\/expunge\/requests$/, requests],
  [
    'DELETE',
    /^\/v1\/expunge\/proposals\/([\w-]+)$/,
    ({state, id}) => {
      state.proposals.delete(id);
      return {declined: id};
    },
  ],
  [
    'GET',
    /^\/v1\/expunge\/entries$/,
    ({state}) => ({entries: state.entries.map(shown), active: active(state)}),
  ],
  ['GET', /^\/v1\/expunge\/entries\/(\d+)$/, oneEntry],
  ['POST', /^\/v1\/expunge\/entries\/(\d+)\/undo$/, slow(100, ({state, n}) => undo(state, n))],
  ['POST', /^\/v1\/expunge\/entries\/(\d+)\/seal$/, seal],
  ['POST', /^\/v1\/expunge\/entries\/(\d+)\/verify$/, slow(500, verify)],
  ['GET', /^\/v1\/expunge\/events$/, events],
  ['GET', /^\/v1\/expunge\/model$/, ({state}) => ({...MODEL, active: active(state).length})],
  ['GET', /^\/v1\/expunge\/methods$/, () => METHODS],
  ['POST', /^\/v1\/expunge\/export$/, slow(400, exported)],
];
