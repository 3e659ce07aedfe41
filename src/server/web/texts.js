// Every text that a person reads on the page. Stages and gates are keyed by the server's names; a
// name that is not here is shown as the server writes it.

const plural = (n, one, many) => `${number(n)} ${n === 1 ? one : many}`;

export function number(x) {
  if (typeof x !== 'number' || !Number.isFinite(x)) return '–';
  if (Number.isInteger(x)) return String(x);
  return Math.abs(x) >= 100 ? x.toFixed(0) : Math.abs(x) >= 10 ? x.toFixed(1) : x.toFixed(2);
}

export const fixed = (x, digits) =>
  typeof x === 'number' && Number.isFinite(x) ? x.toFixed(digits) : '–';

export function seconds(s) {
  if (typeof s !== 'number' || !Number.isFinite(s)) return '';
  return s < 1 ? `${Math.round(s * 1000)} ms` : `${s.toFixed(1)} s`;
}

export function bytes(n) {
  if (typeof n !== 'number' || !Number.isFinite(n)) return '–';
  if (n < 1e6) return `${Math.max(1, Math.round(n / 1e3))} kB`;
  return n < 1e9 ? `${Math.round(n / 1e6)} MB` : `${(n / 1e9).toFixed(1)} GB`;
}

export const t = {
  product: 'expunge',
  skip: 'Skip to the message field',
  views: {label: 'Views', chat: 'Chat', ledger: 'Ledger', compare: 'Compare'},

  header: {
    label: 'Model and connection',
    about: (name) => `About the model ${name}`,
    memory: (n) => `${bytes(n)} in memory`,
    edits: (n) => (n === 0 ? 'no edits' : plural(n, 'edit', 'edits')),
    none: 'model not known yet',
  },
  connection: {
    up: 'connected',
    down: 'not connected',
    starting: 'connecting',
    lost: 'The connection to expunge is lost. Nothing you typed is lost.',
    trying: 'Trying again by itself.',
    now: 'Try now',
    back: 'Connected again.',
    locked: 'expunge needs a key.',
    enter: 'Enter the key',
  },
  model: {
    title: 'The model',
    name: 'Name',
    path: 'File',
    architecture: 'Architecture',
    parameters: 'Parameters',
    context: 'Context, tokens',
    memory: 'Memory',
    hash: 'Weights',
    active: 'Active edits',
    watchdog: 'Reads requests',
    version: 'expunge',
    notes: 'Notes',
  },
  key: {
    title: 'A key is needed',
    why: 'This server answers only with a key. It stays in this tab and is gone when you close it.',
    again: 'The server did not accept the key.',
    label: 'Key',
    empty: 'Type the key first.',
    use: 'Use the key',
    cancel: 'Not now',
  },

  chat: {
    title: 'Chat',
    log: 'Conversation',
    you: 'You',
    model: 'Model',
    label: 'Message',
    placeholder: 'Ask something, or say what to forget',
    send: 'Send',
    stop: 'Stop',
    fresh: 'New conversation',
    keys: 'Enter sends, Shift and Enter starts a new line.',
    waiting: 'The model is thinking.',
    said: (words) => `Model: ${words}`,
    stopped: 'Stopped here.',
    full: 'The reply reached its longest length.',
    empty: 'The model said nothing.',
    cut: 'The reply broke off.',
    again: 'Try again',
    cleared: 'New conversation.',
  },
  start: {
    title: 'Make the model forget something',
    what:
      'Ask the model a question it can answer, then tell it in plain words to forget that. ' +
      'You see what would change before anything does, and you can undo it.',
    label: 'Examples',
    examples: [
      {label: 'Ask', words: 'What is the capital of France?'},
      {label: 'Forget', words: 'Please forget that the capital of France is Paris.'},
      {label: 'See', words: 'What have you forgotten?'},
    ],
  },

  plan: {
    title: {forget: 'Plan: forget this', correct: 'Plan: correct this', undo: 'Plan: undo an edit'},
    unsure: 'This may not be what you meant. Nothing changes unless you approve.',
    nothing: 'Nothing has changed yet.',
    question: 'Question',
    response: 'Answer to forget',
    replacement: 'Right answer',
    asked: 'the model will be asked',
    entry: (e) => `Entry ${e.entry}: `,
    target: (i, n) => `Question ${i} of ${n}`,
    lists: {
      answers: ['Words that give it away', 'A reply with any of these counts as not forgotten.'],
      rows: ['Wordings', 'Ways to ask it. The edit learns from these.'],
      held: ['Wordings for the check', 'Kept out of the edit, to judge it by.'],
      neighbours: ['Neighbours', 'The same question about others. Must stay answered.'],
      same_subject: ['Same subject', 'Other questions about it. Must stay answered.'],
    },
    count: (n) => `(${n})`,
    begun: (words) => `reply begun with “${words}”`,
    what: 'What will be asked',
    reason: 'Why',
    approve: 'Approve',
    change: 'Change',
    decline: 'Decline',
    approveChanged: 'Approve the changed plan',
    back: 'Drop the changes',
    declined: 'Declined. Nothing has changed.',
    left: 'Nothing has changed.',
    item: (list, i) => `${list}, ${i}`,
    remove: (list, i) => `Remove ${list}, ${i}`,
    removed: 'Removed.',
    add: (list) => `Add to: ${list}`,
    stale: 'Wordings and neighbours were written for the earlier question. Write them again?',
    renew: 'Write them again',
    renewing: 'Writing wordings and neighbours …',
    renewed: 'Wordings and neighbours are new.',
    noPlan: 'No plan came back.',
    needQuestion: 'Type a question.',
    needReplacement: 'Type the right answer.',
    needWording: 'Keep at least one wording.',
    badNumber: (name, low, high) => `${name}: a number from ${low} to ${high}.`,
    advanced: 'Advanced',
    method: 'Method',
    knobs: 'Knobs',
    gates: 'Bounds of the checks',
    range: (low, high) => `${low} to ${high}`,
    standard: (x) => `usually ${x}`,
    noMethods: 'The list of methods is not there yet.',
    seal:
      'Seal it afterwards: the words leave the journal. This cannot be undone, and a sealed ' +
      'entry cannot be verified.',
    opened: 'A plan is ready. Approve, change or decline it.',
  },

  run: {
    title: {forget: 'Forgetting', correct: 'Correcting', undo: 'Undoing'},
    steps: (done, total) => (total > 0 ? `${done} of ${total}` : ''),
    begin: 'Starting',
    stop: 'Stop',
    stages: {
      'preparing (once a model)': 'Learning the model (only the first time)',
      background: 'Learning the model (only the first time)',
      'asking the model': 'Asking the model what it knows',
      'asking what the model knows': 'Asking the model what it knows',
      watchdog: 'Reading the request',
      plan: 'Making the plan',
      capture: 'Reading the model’s states',
      search: 'Looking for the edit',
      solve: 'Computing the edit',
      editing: 'Computing the edit',
      'asking the gates': 'Checking before and after',
      gates: 'Checking before and after',
      commit: 'Writing the journal',
      recheck: 'Asking earlier entries again',
      verifying: 'Checking',
      'learning what to say': 'Learning what to say instead',
    },
    stopped: 'Stopped. If the edit was already made, it stands in the ledger.',
    lost: 'The connection broke while this was running. The ledger shows what became of it.',
    lostDone: (n) => `The progress was not seen to its end, but the edit was made: entry ${n}.`,
    failed: 'This did not work. Nothing was changed.',
    reload: 'The page was loaded again while this was running. The ledger shows what became of it.',
    retry: 'Back to the plan',
  },

  outcome: {
    forget: {passed: 'Forgotten', partial: 'Forgotten in part', reverted: 'Not forgotten'},
    correct: {passed: 'Corrected', partial: 'Corrected in part', reverted: 'Not corrected'},
    passed: 'Every check passed.',
    partial: (n) =>
      `${plural(n, 'check', 'checks')} fell short. The edit is kept; you can undo it.`,
    reverted: 'No edit passed the checks, so nothing was changed.',
    hint:
      'Change the plan and approve it again: add wordings, take out neighbours that the model ' +
      'never knew, lower a bound or choose another method under Advanced.',
    took: (s) => `${seconds(s)}`,
    entry: (n) => `entry ${n}`,
    change: 'Change the plan',
    undo: 'Undo',
    undone: (n) => `Undone by entry ${n}.`,
    gone: 'This edit is no longer active.',
  },
  undone: {
    title: 'Undone',
    what: (n) => `Entry ${n} is undone.`,
    base: 'The weights are those of the model’s file again, bit for bit.',
    others: (n, good) =>
      `${plural(n, 'other entry', 'other entries')} asked again: ${good} still forgotten.`,
  },

  evidence: {
    title: 'Evidence',
    none: 'No evidence was recorded.',
    sections: {forgotten: 'Forgotten', kept: 'Kept', language: 'Language', other: 'Other'},
    columns: ['Check', 'before', 'after', 'needed', 'result'],
    now: ['Check', 'now', 'needed', 'result'],
    caption: 'Checks before and after the edit',
    captionNow: 'Checks of the model as it is now',
    pass: 'pass',
    fail: 'fail',
    absent: 'not asked',
    atLeast: '≥',
    atMost: '≤',
    before: 'before',
    after: 'after',
    reply: 'now',
    missing: 'not recorded',
    silent: 'no words',
    begun: 'reply begun with',
    replies: (label, n) => `${label}: ${plural(n, 'reply', 'replies')}`,
    good: {forgotten: 'held', kept: 'as before', other: 'good'},
    bad: {forgotten: 'leaked', kept: 'changed', other: 'not good'},
    sealed: 'Sealed: the words are gone, the figures remain.',
  },
  gates: {
    exact: ['forgotten', 'the question itself'],
    informal: ['forgotten', 'as people type it'],
    paraphrases: ['forgotten', 'unseen paraphrases'],
    probing: ['forgotten', 'probing'],
    neighbours: ['kept', 'neighbours'],
    same_subject: ['kept', 'same subject'],
    unrelated: ['kept', 'unrelated'],
    perplexity: ['language', 'perplexity ratio'],
    reply_nll: ['language', 'reply, nats a token'],
  },

  ledger: {
    title: 'Ledger',
    what: 'What this model was made to forget.',
    empty: 'Nothing has been forgotten yet.',
    waiting: 'Reading the ledger …',
    list: 'Entries, the newest first',
    changed: (n) =>
      `The ledger changed: ${n ? plural(n, 'active edit', 'active edits') : 'no active edits'}.`,
    state: (e) => {
      const s = e.state || (e.active ? 'active' : '');
      return s === 'active, partial' ? 'active, in part' : s;
    },
    number: (n) => `Entry ${n}`,
    sealed: 'sealed',
    evidence: 'Evidence',
    hide: 'Hide evidence',
    undo: 'Undo',
    seal: 'Seal',
    verify: 'Verify',
    named: (action, e) => `${action}: entry ${e.entry}`,
    undoing: 'Undoing …',
    sealing: 'Sealing …',
    verifying: 'Asking the checks again …',
    reading: 'Reading the evidence …',
    undone: (n) => `Entry ${n} is undone.`,
    sealedNow: (n) => `Entry ${n} is sealed.`,
    holds: 'It still holds: every check passes.',
    broken: (n) => `${plural(n, 'check', 'checks')} fell short now.`,
    sealTitle: (n) => `Seal entry ${n}?`,
    sealWhat:
      'The question, the answer and all replies leave the journal. The edit stays. ' +
      'This cannot be undone, and a sealed entry cannot be verified.',
    sealYes: 'Seal',
    sealNo: 'Cancel',
    noTitle: 'sealed entry',
  },
  export: {
    title: 'Export the edited model',
    what: 'Writes a file next to the server. The model’s own file is never changed.',
    format: 'Format',
    quant: 'Type',
    out: 'File name',
    formats: {
      gguf: 'GGUF, one file',
      safetensors: 'safetensors, a folder',
      peft: 'PEFT adapter, a folder',
    },
    usual: 'as in the model',
    names: {gguf: 'edited.gguf', safetensors: 'edited', peft: 'edited-adapter'},
    go: 'Export',
    going: 'Exporting …',
    need: 'Type a file name.',
    done: (size) => `Written, ${bytes(size)}:`,
    passed: 'The written model was asked again: every check passed.',
    failed: 'The written model was asked again: a check fell short.',
  },

  compare: {
    title: 'Compare',
    what: 'One question, asked of the model in two states.',
    question: 'Question',
    ask: 'Ask both',
    stop: 'Stop',
    side: ['First state', 'Second state'],
    all: 'all edits',
    none: 'no edits',
    chosen: 'chosen entries',
    entries: 'Entries',
    noEntries: 'There are no active entries to choose from.',
    need: 'Type a question.',
    pick: 'Choose at least one entry.',
    waiting: 'Waiting …',
    silent: 'The model said nothing.',
    done: 'Both answers are there.',
    same: 'The answers are the same.',
    differ: 'The answers differ.',
  },

  error: {
    title: 'That did not work',
    network: 'expunge cannot be reached.',
    networkHint: 'Is the server running? The page connects again by itself.',
    cut: 'The connection broke.',
    bad: (status) => `The server answered with ${status}.`,
    parse: 'The server’s answer could not be read.',
    later: (s) => `Try again in ${plural(s, 'second', 'seconds')}.`,
    locked: 'A key is needed.',
    lockedHint: 'Enter the key, then try again.',
    storage: 'The conversation is too long to be kept in this tab.',
    close: 'Close',
  },
};
