"""Chat templates rendered by transformers' own Jinja2 environment -> templates.golden.

templates.json holds the templates: those of released models (SmolLM2 and Qwen2.5, Apache-2.0, as
published) and short ones in the form of the other families, for the constructs that those use.
"""
import json
from pathlib import Path

from transformers.utils.chat_template_utils import _compile_jinja_template

import container

HERE = Path(__file__).resolve().parent


def turn(role, content):
    return {"role": role, "content": content}


DIALOGUES = [
    [turn("user", "What is the capital of France?")],
    [turn("system", "You are terse."), turn("user", "Hi"), turn("assistant", "Hello."),
     turn("user", "  spaces and\nlines \n")],
    [turn("user", "ünïcödé 東京 🦙 \"quotes\" 'single' <b>&amp;</b> {{ braces }} {% raw %}")],
    [turn("user", "a"), turn("assistant", "b"), turn("user", "c"), turn("assistant", "d")],
    [turn("user", "one"), turn("user", "two")],   # some templates refuse it
    [turn("assistant", "first")],
]


# Templates that read a message's content as a list of parts.
PARTS = {"parts_only", "parts_sum"}


def as_parts(messages):
    return [turn(m["role"], [{"type": "text", "text": m["content"]}]) for m in messages]


def render(template, messages, add):
    try:
        return template.render(messages=messages, tools=None, documents=None,
                               add_generation_prompt=add, bos_token="<s>", eos_token="</s>")
    except Exception as e:  # raise_exception of the template
        return {"error": str(e)}


def main():
    templates = json.loads((HERE / "templates.json").read_text())
    rendered = {}
    for name, source in templates.items():
        compiled = _compile_jinja_template(source)
        dialogues = [as_parts(d) for d in DIALOGUES] if name in PARTS else DIALOGUES
        rendered[name] = [[render(compiled, d, add) for add in (False, True)] for d in dialogues]
    container.write("templates", "transformers' Jinja2",
                    values={"templates": templates, "dialogues": DIALOGUES, "rendered": rendered})


if __name__ == "__main__":
    main()
