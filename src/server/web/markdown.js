// A small Markdown to DOM renderer: paragraphs, headings, lists, quotes, code, bold, italics and
// links. It makes elements and text nodes only, so markup in a reply stays the text that it is.
// Unfinished input, as in a streaming reply, is drawn as far as it goes.
import {h} from './dom.js';

const LIST = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const FENCE = /^\s*(`{3,}|~{3,})\s*([\w+#.-]*)\s*$/;
const MAX_DEPTH = 8;

export function markdown(source) {
  const root = document.createDocumentFragment();
  root.append(...blocks(source.replace(/\r\n?/g, '\n').split('\n'), 0));
  return root;
}

function blocks(lines, depth) {
  const out = [];
  let i = 0;
  while (i < lines.length) {
    const line = lines[i];
    const fence = FENCE.exec(line);
    const heading = /^(#{1,6})\s+(.+?)\s*#*$/.exec(line);
    if (!line.trim()) {
      ++i;
    } else if (fence) {
      const body = [];
      for (++i; i < lines.length && !closes(lines[i], fence[1]); ++i) body.push(lines[i]);
      ++i;
      out.push(h('pre', {dir: 'auto', tabindex: '0'}, h('code', {}, body.join('\n'))));
    } else if (heading) {
      // The page has h1 to h3; a reply's headings come below them.
      const level = Math.min(6, heading[1].length + 3);
      out.push(h(`h${level}`, {dir: 'auto'}, inline(heading[2])));
      ++i;
    } else if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) {
      out.push(h('hr'));
      ++i;
    } else if (/^\s*>/.test(line) && depth < MAX_DEPTH) {
      const body = [];
      for (; i < lines.length && /^\s*>/.test(lines[i]); ++i)
        body.push(lines[i].replace(/^\s*>\s?/, ''));
      out.push(h('blockquote', {dir: 'auto'}, blocks(body, depth + 1)));
    } else if (LIST.test(line) && depth < MAX_DEPTH) {
      const [node, next] = list(lines, i, depth);
      out.push(node);
      i = next;
    } else {
      const body = [line];
      for (++i; i < lines.length && continues(lines[i], depth); ++i) body.push(lines[i]);
      out.push(h('p', {dir: 'auto'}, inline(body.map((text) => text.trim()).join('\n'))));
    }
  }
  return out;
}

const closes = (line, mark) => line.trim().startsWith(mark) && /^(`+|~+)$/.test(line.trim());

const continues = (line, depth) =>
  line.trim() &&
  !FENCE.test(line) &&
  !/^#{1,6}\s/.test(line) &&
  !(depth < MAX_DEPTH && (/^\s*>/.test(line) || LIST.test(line)));

function list(lines, start, depth) {
  const [, indent, mark] = LIST.exec(lines[start]);
  const ordered = /\d/.test(mark);
  const items = [];
  let i = start;
  while (i < lines.length) {
    const found = LIST.exec(lines[i]);
    if (
      !found ||
      found[1].length > indent.length + 1 ||
      found[1].length < indent.length ||
      /\d/.test(found[2]) !== ordered
    )
      break;
    const width = found[1].length + found[2].length + 1;
    const body = [found[3]];
    for (++i; i < lines.length; ++i) {
      const inside = lines[i].trim()
        ? /^\s*/.exec(lines[i])[0].length > indent.length + 1
        : /^\s{2,}\S/.test(lines[i + 1] || '');
      if (!inside) break;
      body.push(lines[i].replace(new RegExp(`^\\s{0,${width}}`), ''));
    }
    items.push(body);
    // An empty line between two items does not end the list.
    if (i + 1 < lines.length && !lines[i].trim() && LIST.test(lines[i + 1])) ++i;
  }
  const first = parseInt(mark, 10);
  const node = h(
    ordered ? 'ol' : 'ul',
    {dir: 'auto', start: ordered && first !== 1 ? first : null},
    items.map((body) => h('li', {}, tight(blocks(body, depth + 1)))),
  );
  return [node, i];
}

// An item's only or first paragraph needs no element of its own; the list has the direction.
function tight(nodes) {
  const [first, ...rest] = nodes;
  return first && first.tagName === 'P' ? [...first.childNodes, ...rest] : nodes;
}

const INLINE = [
  [/`+/y, code],
  [/\\([\\`*_{}[\]()#+.!>~-])/y, (m) => [[m[1]], m[0].length]],
  [
    /\[([^\]\n]{1,300})\]\((https?:\/\/[^\s()]+(?:\([^\s()]*\)[^\s()]*)*)\)/y,
    (m) => [[link(m[2], inline(m[1], true))], m[0].length],
  ],
  [/https?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]*_]/y, (m) => [[link(m[0], [m[0]])], m[0].length]],
  [/(\*\*|__)(?=\S)([^\n]+?)(?<=\S)\1/y, (m, a, at) => marked('strong', m, a, at)],
  [/([*_])(?=[^\s*_])([^\n]*?[^\s*_])\1(?![*_])/y, (m, a, at) => marked('em', m, a, at)],
];

function inline(source, inLink = false) {
  const out = [];
  let plain = '';
  let i = 0;
  while (i < source.length) {
    let took = null;
    if ('`\\[*_h'.includes(source[i])) {
      for (const [pattern, make] of INLINE) {
        pattern.lastIndex = i;
        const match = pattern.exec(source);
        took = match && make(match, source, i);
        if (took && inLink && took[0][0].tagName === 'A') took = null;
        if (took) break;
      }
    }
    if (took) {
      if (plain) out.push(plain);
      plain = '';
      out.push(...took[0]);
      i += took[1];
    } else {
      plain += source[i++];
    }
  }
  if (plain) out.push(plain);
  return out;
}

function code(match, source, at) {
  const from = at + match[0].length;
  let end = from;
  for (;;) {
    end = source.indexOf(match[0], end);
    if (end < 0) return [[match[0]], match[0].length];
    if (source[end + match[0].length] !== '`') break;
    while (source[end] === '`') ++end;
  }
  const body = source.slice(from, end).replace(/^ (.+) $/s, '$1');
  return [[h('code', {}, body)], end + match[0].length - at];
}

// snake_case_names are no emphasis.
function marked(tag, match, source, at) {
  if (
    match[1][0] === '_' &&
    (/\w/.test(source[at - 1] || '') || /\w/.test(source[at + match[0].length] || ''))
  )
    return null;
  return [[h(tag, {}, inline(match[2]))], match[0].length];
}

const link = (href, children) =>
  h('a', {href, rel: 'noopener noreferrer', target: '_blank'}, children);
