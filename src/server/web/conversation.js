// The conversation as data, kept in this tab. An item is what a person or the model said; the
// model's may carry the card of a proposal (plan.js) or an error.
const KEY = 'expunge.conversation';
const DRAFT = 'expunge.draft';

let nextId = 1;
export const items = [];

export function add(item) {
  const added = {id: nextId++, ...item};
  items.push(added);
  save();
  return added;
}

export function clear() {
  items.length = 0;
  save();
}

// Evidence is long. If it no longer fits, the oldest goes first: the ledger has it.
export function save() {
  const kept = structuredClone(items);
  for (;;) {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(kept));
      return;
    } catch {
      const heavy = kept.find((item) => item.card?.outcome?.after);
      if (heavy) {
        delete heavy.card.outcome.before;
        delete heavy.card.outcome.after;
      } else if (kept.length > 1) {
        kept.shift();
      } else {
        return;
      }
    }
  }
}

// What was under way when the page was left is not any more.
export function load() {
  try {
    items.splice(0, items.length, ...JSON.parse(sessionStorage.getItem(KEY) || '[]'));
  } catch {
    items.length = 0;
  }
  for (const item of items) {
    if (item.state === 'streaming') item.state = 'stopped';
    if (item.card?.state === 'running') item.card.state = 'reload';
    nextId = Math.max(nextId, item.id + 1);
  }
}

export const draft = {
  get: () => sessionStorage.getItem(DRAFT) || '',
  set: (words) => {
    try {
      sessionStorage.setItem(DRAFT, words);
    } catch {
      /* it stays in the field */
    }
  },
};

// What the model is sent: everything said so far. A question that got no answer at all is left out
// together with its empty answer, unless it is the last.
export function messages() {
  const out = [];
  for (const item of items) {
    if (item.role === 'assistant' && !item.content) {
      if (item !== items.at(-1) && out.at(-1)?.role === 'user') out.pop();
    } else {
      out.push({role: item.role, content: item.content});
    }
  }
  return out;
}
