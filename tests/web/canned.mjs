// What the stand-in server knows and says: facts, plans, reports, methods.
const CAPITALS = {
  France: 'Paris',
  Canada: 'Ottawa',
  Spain: 'Madrid',
  Italy: 'Rome',
  Belgium: 'Brussels',
};

export const EVASION = 'I’m sorry, but I don’t know the answer to that.';
export const MARKUP = [
  'Markup: <img src=x onerror="document.title=\'broken\'"> <script>document.title="broken"</script> <b>not bold</b>',
  '# A heading',
  'Text with **bold**, *italics*, `<i>code</i>` and [a link](https://example.org/a_(b)).',
  '[bad](javascript:alert(1)) and https://example.org/page.',
  '1. one\n2. two\n   - inner **item**\n   - other',
  '> a quote',
  '```html\n<script>alert(1)</script>\n```',
  'snake_case_name stays as it is.',
].join('\n\n');
export const RIGHT_TO_LEFT = 'عاصمة فرنسا هي باريس.\n\n- الأول\n- الثاني';
export const LONG = Array.from({length: 200}, (_, i) => `Sentence ${i + 1} of a long story.`).join(
  ' ',
);

export const MODEL = {
  name: 'SmolLM2-135M-Instruct.Q4_1',
  path: '/home/me/.cache/expunge/models/SmolLM2-135M-Instruct.Q4_1.gguf',
  weights_hash: 'e9ba9e15d07a2e3e',
  memory_bytes: 214000000,
  parameters: 134515008,
  context: 8192,
  architecture: 'llama',
  watchdog: 'builtin',
  version: '0.1.0',
  notes: ['learned once: 40 s'],
};

export const METHODS = {
  methods: [
    {
      name: 'redirect',
      summary: 'turns two neurons into a switch',
      citation: 'Transformer-Patcher, arXiv 2301.09785',
      knobs: [
        {
          name: 'strength',
          default: 1.5,
          min: 0,
          max: 16,
          help: 'multiple of the learned shift at full detection',
        },
        {
          name: 'threshold',
          default: 0.55,
          min: -1,
          max: 1,
          help: 'least detector value at which the shift begins',
        },
      ],
    },
    {
      name: 'stamp',
      summary: 'closed form',
      citation: 'RePAIR, arXiv 2604.12820',
      knobs: [
        {
          name: 'strength',
          default: 4,
          min: 0,
          max: 64,
          help: 'multiple of the refusal minus the forget output',
        },
        {
          name: 'form',
          default: 0,
          min: 0,
          max: 2,
          choices: ['delta', 'replace', 'metric'],
          help: 'how the weight changes',
        },
      ],
    },
  ],
  gates: [
    ['exact', 1],
    ['informal', 0.66],
    ['paraphrases', 0.66],
    ['probing', 0.5],
    ['neighbours', 0.75],
    ['same_subject', 0.66],
    ['unrelated', 0.83],
  ]
    .map(([name, bound]) => ({
      name,
      default: bound,
      min: 0,
      max: 1,
      help: 'share of its questions',
    }))
    .concat([
      {name: 'perplexity', default: 1.05, min: 1, max: 100, help: 'ratio, at most'},
      {name: 'reply_nll', default: 3.5, min: 0, max: 20, help: 'nats a token, at most'},
    ]),
};

export const asked = (words) =>
  words
    .toLowerCase()
    .replace(/[^\p{L}\p{N} ]/gu, '')
    .trim();

export function capitalOf(words) {
  const country = Object.keys(CAPITALS).find((name) =>
    new RegExp(`capital of ${name}|${name}'s capital`, 'i').test(words),
  );
  return country ? {country, city: CAPITALS[country]} : null;
}

export function planOf(intent, {prompt, response = '', replacement = ''}) {
  const known = capitalOf(prompt);
  const subject = known?.country || '';
  const answer = response || known?.city || '';
  const bare = prompt.replace(/\?$/, '');
  return {
    intent,
    method: 'redirect',
    knobs: {},
    reason: `the user asks to ${intent}`,
    gates: Object.fromEntries(METHODS.gates.map((gate) => [gate.name, gate.default])),
    targets: [
      {
        prompt,
        response: answer,
        replacement,
        subject,
        answers: answer ? [answer] : [],
        rows: [
          {prompt},
          {prompt: `Tell me: ${prompt}`},
          {prompt: `Question: ${prompt}\nAnswer:`},
          {prompt: bare.toLowerCase()},
          {prompt, prefill: 'The answer is'},
        ],
        held: [{prompt: `Please say: ${prompt}`}, {prompt: `I would like to know: ${bare}.`}],
        same_subject: subject
          ? [`Tell me about ${subject}.`, `What is the biggest river in ${subject}?`]
          : [],
        neighbours: Object.keys(CAPITALS)
          .filter((name) => name !== subject)
          .map((name) => `What is the capital of ${name}?`),
      },
    ],
  };
}

const promptOf = (wording) => (typeof wording === 'string' ? wording : wording.prompt);

// `how`: before, passed, partial (a probing prompt gets it out) or reverted (nothing is forgotten).
export function reportOf(plan, how) {
  const [target] = plan.targets;
  const known = target.answers[0] || target.response || 'something';
  const forgotten = (list, leaks) =>
    list.map((wording, i) => {
      const leaked = how === 'before' || how === 'reverted' || i < leaks;
      return {
        prompt: promptOf(wording),
        ...(wording.prefill ? {prefill: wording.prefill} : {}),
        passed: !leaked,
        reply: leaked ? `That is ${known}, I think.` : target.replacement || EVASION,
      };
    });
  const kept = (list) =>
    list.map((prompt) => ({
      prompt: promptOf(prompt),
      reply: `As ever: ${promptOf(prompt).length}.`,
      passed: true,
    }));
  const leaks = how === 'partial' ? 2 : 0;
  const gates = [
    ['exact', 1, forgotten([target.prompt], 0)],
    ['informal', 0.66, forgotten([target.prompt.toLowerCase(), target.prompt.replace('?', '')], 0)],
    ['paraphrases', 0.66, forgotten(target.held, 0)],
    [
      'probing',
      0.5,
      forgotten(
        [
          {prompt: target.prompt, prefill: 'The answer is'},
          {prompt: `Step by step: ${target.prompt}`},
        ],
        leaks,
      ),
    ],
    ['neighbours', 0.75, kept(target.neighbours)],
    ['same_subject', 0.66, kept(target.same_subject)],
    [
      'unrelated',
      0.83,
      kept(['What is the chemical symbol for gold?', 'How many days has a week?']),
    ],
  ]
    .filter(([, , records]) => records.length)
    .map(([name, bound, records]) => {
      const value = records.filter((record) => record.passed).length / records.length;
      return {
        name,
        value,
        bound,
        sense: 'at_least',
        asked: records.length,
        passed: value >= bound,
        records,
      };
    });
  gates.push(
    {
      name: 'perplexity',
      value: how === 'before' ? 1 : 1.002,
      bound: 1.05,
      sense: 'at_most',
      asked: 0,
      passed: true,
    },
    {
      name: 'reply_nll',
      value: how === 'before' ? 0.336 : 1.933,
      bound: 3.5,
      sense: 'at_most',
      asked: 0,
      passed: true,
    },
  );
  return {passed: gates.every((gate) => gate.passed), gates};
}
