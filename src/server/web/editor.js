// The form that changes a plan before it is approved. It writes into card.edited as one types, so
// that nothing typed is lost.
import {api} from './api.js';
import {advanced} from './advanced.js';
import {h, said, button, field, focusOn, fold, announce, errorBox} from './dom.js';
import {t} from './texts.js';

export const LISTS = ['answers', 'rows', 'held', 'neighbours', 'same_subject'];
const WORDINGS = new Set(['rows', 'held']); // {prompt, prefill?}; the others are texts
export const wordingOf = (w) => (typeof w === 'string' ? {prompt: w} : w || {prompt: ''});

// `does`: changed, approve, back, decline.
export function editor(card, does) {
  const plan = card.edited;
  const problem = h('div', {role: 'alert'});
  const targets = h('div', {class: 'targets'});
  const extra = advanced(card, does.changed);
  const drawTargets = () =>
    targets.replaceChildren(
      ...plan.targets.map((target, i) => targetForm(card, target, i, does.changed, drawTargets)),
    );
  drawTargets();
  return h(
    'form',
    {
      class: 'editor',
      novalidate: true,
      onsubmit: (event) => {
        event.preventDefault();
        const found = check(plan, targets) || extra.check();
        problem.replaceChildren();
        if (found) {
          problem.append(errorBox({message: found.words}));
          for (
            let fold = found.at.closest('details');
            fold;
            fold = fold.parentElement.closest('details')
          )
            fold.open = true;
          focusOn(found.at);
          return;
        }
        tidy(plan);
        does.changed();
        does.approve();
      },
    },
    targets,
    extra.node,
    problem,
    h('p', {class: 'soft small'}, t.plan.nothing),
    h(
      'div',
      {class: 'actions'},
      h('button', {type: 'submit', class: 'primary'}, t.plan.approveChanged),
      button(t.plan.back, does.back),
      button(t.plan.decline, does.decline),
    ),
  );
}

function targetForm(card, target, i, changed, redraw) {
  const plan = card.edited;
  const stale = h('div', {class: 'note stale', role: 'status'});
  const input = (name, key) => {
    const control = h('textarea', {
      rows: '1',
      dir: 'auto',
      value: target[key] || '',
      'data-key': key,
      oninput: () => {
        const before = target[key];
        target[key] = control.value;
        if (key === 'response') follow(target, before);
        if (key !== 'replacement') showStale(card, i, stale, redraw, changed);
        changed();
      },
    });
    return field(name, control, key === 'response' && !target.response ? t.plan.asked : undefined);
  };
  const parts = [
    input(t.plan.question, 'prompt'),
    input(t.plan.response, 'response'),
    plan.intent === 'correct' ? input(t.plan.replacement, 'replacement') : null,
    stale,
    ...LISTS.map((name) => listForm(target, name, changed)),
  ].filter(Boolean);
  showStale(card, i, stale, redraw, changed);
  if (plan.targets.length < 2) return h('div', {class: 'target'}, parts);
  return h(
    'fieldset',
    {class: 'target'},
    h('legend', {}, t.plan.target(i + 1, plan.targets.length)),
    parts,
  );
}

// What gives the answer away follows the answer.
function follow(target, before) {
  target.answers ||= [];
  const at = target.answers.indexOf(before);
  if (at >= 0) target.answers[at] = target.response;
  else if (target.response && !target.answers.length) target.answers.push(target.response);
}

// Wordings that were written for another question are of no use: offers to have new ones written.
function showStale(card, i, box, redraw, changed) {
  const target = card.edited.targets[i];
  const written = (card.written || card.proposal.plan).targets[i];
  const differs =
    written &&
    (target.prompt.trim() !== written.prompt ||
      (target.response || '').trim() !== (written.response || ''));
  if (!differs) return box.replaceChildren();
  if (box.firstChild) return undefined;
  const renew = button(t.plan.renew, async () => {
    renew.disabled = true;
    renew.textContent = t.plan.renewing;
    try {
      await renewTargets(card);
      changed();
      redraw();
      announce(t.plan.renewed);
    } catch (error) {
      box.replaceChildren(errorBox(error, [renew]));
      renew.disabled = false;
      renew.textContent = t.plan.renew;
    }
  });
  return box.append(h('p', {}, t.plan.stale), renew);
}

async function renewTargets(card) {
  const plan = card.edited;
  const {proposals, question} = await api.plans({
    intent: plan.intent,
    method: plan.method,
    knobs: plan.knobs || {},
    targets: plan.targets.map(({prompt, response, replacement}) => ({
      prompt: prompt.trim(),
      ...(response ? {response} : {}),
      ...(replacement ? {replacement} : {}),
    })),
  });
  const made = proposals?.[0];
  if (!made?.plan?.targets?.length) throw new Error(question || t.plan.noPlan);
  if (made.id) api.decline(made.id).catch(() => {});
  plan.targets = structuredClone(made.plan.targets);
  card.written = structuredClone(made.plan);
}

// --- a list of texts ------------------------------------------------------------
function listForm(target, name, changed) {
  const [label, help] = t.plan.lists[name];
  const list = (target[name] ||= []);
  const count = h('span', {class: 'soft'});
  const rows = h('ol', {class: 'editable', 'aria-label': label});
  const add = button(
    t.plan.add(label),
    () => {
      list.push(WORDINGS.has(name) ? {prompt: ''} : '');
      draw();
      changed();
      rows.lastElementChild.querySelector('textarea').focus();
    },
    {class: 'quiet'},
  );
  const set = (i, words) => {
    list[i] = WORDINGS.has(name) ? {...wordingOf(list[i]), prompt: words} : words;
    changed();
  };
  const remove = (i) => {
    list.splice(i, 1);
    draw();
    changed();
    announce(t.plan.removed);
    const near = rows.children[Math.min(i, list.length - 1)];
    focusOn(near ? near.querySelector('button') : add);
  };
  const draw = () => {
    count.textContent = t.plan.count(list.length);
    rows.replaceChildren(
      ...list.map(wordingOf).map((w, i) => {
        const control = h('textarea', {
          rows: '1',
          dir: 'auto',
          value: w.prompt,
          'aria-label': t.plan.item(label, i + 1),
          oninput: () => set(i, control.value),
        });
        return h(
          'li',
          {},
          control,
          button('×', () => remove(i), {
            class: 'quiet remove',
            'aria-label': t.plan.remove(label, i + 1),
          }),
          w.prefill ? h('span', {class: 'soft small'}, said(t.plan.begun(w.prefill))) : null,
        );
      }),
    );
  };
  draw();
  return fold([label, ' ', count], [h('p', {class: 'soft small'}, help), rows, add], {
    'data-list': name,
  });
}

// --- what is sent ------------------------------------------------------------
function check(plan, targets) {
  const forms = targets.children;
  for (const [i, target] of plan.targets.entries()) {
    const at = (key) => forms[i].querySelector(`[data-key=${key}]`);
    if (!target.prompt.trim()) return {words: t.plan.needQuestion, at: at('prompt')};
    if (plan.intent === 'correct' && !(target.replacement || '').trim())
      return {words: t.plan.needReplacement, at: at('replacement')};
    if (!target.rows.some((w) => wordingOf(w).prompt.trim()))
      return {words: t.plan.needWording, at: forms[i].querySelector('[data-list=rows] summary')};
  }
  return null;
}

// Without empty lines and blanks at the ends.
function tidy(plan) {
  for (const target of plan.targets) {
    for (const key of ['prompt', 'response', 'replacement'])
      if (typeof target[key] === 'string') target[key] = target[key].trim();
    for (const name of LISTS) {
      target[name] = target[name]
        .filter((w) => wordingOf(w).prompt.trim())
        .map((w) => (typeof w === 'string' ? w.trim() : {...w, prompt: w.prompt.trim()}));
    }
  }
}
