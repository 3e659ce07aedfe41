"""A model of 260 thousand parameters as a Hugging Face folder: its tokens are bytes, its context 512."""
import json
import shutil
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "data/stories260K"
SPECIALS = {"<|im_start|>": 256, "<|im_end|>": 257}
TEMPLATE = ("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")


def byte_alphabet():
    """GPT-2's printable stand-ins of the 256 bytes, in byte order."""
    alphabet, next_free = [], 256
    for byte in range(256):
        if 33 <= byte <= 126 or 161 <= byte <= 172 or byte >= 174:
            alphabet.append(chr(byte))
        else:
            alphabet.append(chr(next_free))
            next_free += 1
    return alphabet


def write(folder):
    """-> the folder, as a text."""
    folder = Path(folder)
    folder.mkdir()
    shutil.copy(SOURCE / "model.safetensors", folder)
    config = json.loads((SOURCE / "config.json").read_text())
    config.update(bos_token_id=SPECIALS["<|im_start|>"], eos_token_id=SPECIALS["<|im_end|>"])
    (folder / "config.json").write_text(json.dumps(config))
    vocabulary = {token: i for i, token in enumerate(byte_alphabet())} | SPECIALS
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    added = [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for token, i in SPECIALS.items()]
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
             "vocab": vocabulary, "merges": []}
    (folder / "tokenizer.json").write_text(json.dumps(
        {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
         "normalizer": None, "pre_tokenizer": level, "post_processor": None, "decoder": level,
         "model": model}))
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"chat_template": TEMPLATE, "eos_token": "<|im_end|>"}))
    return str(folder)
