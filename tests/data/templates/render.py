#!/usr/bin/env python3
"""Writes rendered.json: what Jinja2 makes of the templates beside it, as transformers sets it up.

Needs jinja2 (3.1.6 when it was run). What Jinja2 refuses is {"error": …}. Templates that ask for
the date are left out.
"""
import json
from pathlib import Path

import jinja2
import jinja2.sandbox
from jinja2.ext import Extension

HERE = Path(__file__).parent
DIALOGUES = [
    [{"role": "user", "content": "What is 2 + 2?"}],
    [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"},
     {"role": "assistant", "content": "<think>\nhm\n</think>\n\nhello"},
     {"role": "user", "content": "Wie geht's? ☀"}],
]


class Generation(Extension):
    """{% generation %} … {% endgeneration %} prints what is in it."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body).set_lineno(line)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


# The sandbox of transformers is the immutable one; `do d.update(…)` needs the other.
environment = jinja2.sandbox.SandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True,
    extensions=[Generation, "jinja2.ext.loopcontrols", "jinja2.ext.do"])
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception
rendered = {}
for path in sorted(HERE.glob("*.jinja")):
    source = path.read_text()
    if "strftime_now" in source:
        continue
    rendered[path.name] = []
    for messages in DIALOGUES:
        try:
            out = environment.from_string(source).render(
                messages=messages, add_generation_prompt=True, bos_token="<s>", eos_token="</s>",
                tools=None, documents=None)
        except Exception as error:  # whatever a template can do wrong
            out = {"error": str(error)}
        rendered[path.name].append(out)
(HERE / "rendered.json").write_text(
    json.dumps({"dialogues": DIALOGUES, "rendered": rendered}, indent=1, ensure_ascii=False) + "\n")
