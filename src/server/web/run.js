// Carries out an approved request: follows the progress, draws it into the card, gives the result.
import {api, cutError, streamedError} from './api.js';
import {h, announce} from './dom.js';
import {t} from './texts.js';

const stageName = (stage) => t.run.stages[stage] || stage;

// {state: done, outcome | undone} or {state: failed | lost | stopped, error}
export async function carryOut(part, body) {
  part.abort = new AbortController();
  const show = progressOf(part.root, part.grew);
  try {
    for await (const {event, data} of api.request(body, {signal: part.abort.signal})) {
      if (event === 'progress') {
        show(data);
      } else if (event === 'error' || data?.error) {
        throw streamedError(data);
      } else {
        return {state: 'done', ...(data.undone !== undefined ? {undone: data} : {outcome: data})};
      }
    }
    throw cutError();
  } catch (error) {
    if (error.name === 'AbortError') return {state: 'stopped'};
    return {state: error.network ? 'lost' : 'failed', error};
  } finally {
    part.abort = null;
  }
}

// One line a stage; the one that runs has a bar. Only a new stage is said aloud.
function progressOf(root, grew) {
  const list = root.querySelector('.stages');
  const bar = root.querySelector('progress');
  let current = null;
  return ({stage, done = 0, total = 0}) => {
    const name = stageName(stage);
    if (current?.name !== name) {
      current?.line.classList.remove('now');
      current?.steps.remove();
      if (!current) list.replaceChildren();
      current = {
        name,
        line: h('li', {class: 'now'}, name, ' '),
        steps: h('span', {class: 'soft small'}),
      };
      current.line.append(current.steps);
      list.append(current.line);
      bar.setAttribute('aria-label', name);
      announce(name);
      grew();
    }
    current.steps.textContent = t.run.steps(done, total);
    if (total > 0) {
      bar.max = total;
      bar.value = done;
    } else {
      bar.removeAttribute('value');
    }
  };
}
