#!/usr/bin/env python3
"""Real model files from float32 weights: expunge's greedy continuations against llama.cpp's.

    ~/.cache/expunge/peers/bin/pip install gguf==0.19.0      # beside llama-cpp-python, see bench/peers/llama_cpp.py
    ~/.cache/expunge/peers/bin/python tests/peers/llama_cpp.py MODEL.gguf… [--tokens 24]

Each file is written again with every matrix in float32 (gguf's dequantisation), so that neither
program rounds activations. Both get the same text, raw; compared are the number of tokens of the
prompt and the ids of the reply, as far as ours goes: of a model without a chat template it ends with
the line. Prints what differs and the shares; exit status 1 if something does. Where two tokens are
equally likely to 2e-3 nats the order of float32 sums decides.

Measured: SmolLM2-135M-Instruct Q4_1 12 of 12, gemma-3-270m Q4_K_M 11 of 12; in the twelfth llama.cpp itself
prefers the other token (by 1.3e-3 nats) when it reads the same ids as one prompt.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

sys.path.pop(0)
import gguf
import llama_cpp
import numpy as np
from gguf import quants

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROMPTS = [
    "The capital of France is Paris, and the capital of Italy is",
    "Question: What is the capital of Japan?\nAnswer:",
    "Once upon a time, there was a little girl who",
    "def fibonacci(n):\n    ",
    "1, 2, 3, 4, 5, 6,",
    "Die Hauptstadt von Deutschland ist",
    "El agua hierve a cien grados y",
    "Water boils at 100 °C; it freezes at",
    "E = mc² was written by",
    "日本の首都は",
    "<html>\n<head>\n\t<title>",
    "The  quick   brown fox's “jump” — over it’s lazy dog… 12345 67,890.12",
]


def in_float32(source, target):
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            kind = field.types[0]
            inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), kind, inner)
    for t in reader.tensors:
        values = quants.dequantize(t.data, t.tensor_type).astype(np.float32)
        writer.add_tensor(t.name, values.reshape(list(reversed(t.shape.tolist()))))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def theirs(path, tokens):
    llama = llama_cpp.Llama(path, n_ctx=256, n_gpu_layers=0, verbose=False, type_k=0, type_v=0)
    for prompt in PROMPTS:
        ids = llama.tokenize(prompt.encode(), add_bos=True, special=False)
        reply = []
        for token in llama.generate(ids, temp=0, top_k=1, repeat_penalty=1.0, reset=True):
            if llama_cpp.llama_vocab_is_eog(llama._model.vocab, token) or len(reply) == tokens:
                break
            reply.append(int(token))
        yield len(ids), reply


def ours(expunge, path, tokens):
    for prompt in PROMPTS:
        done = subprocess.run([expunge, "generate", "-q", "--json", "--no-edits", "--raw", "-m", path, "--max-tokens",
                               str(tokens), prompt], capture_output=True, check=True)
        row = json.loads(done.stdout)
        yield row["prompt_tokens"], row["ids"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--expunge", default=os.path.join(ROOT, "build/release/expunge"))
    args = parser.parse_args()
    failed = False
    for model in args.models:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "f32.gguf")
            in_float32(model, path)
            pairs = list(zip(theirs(path, args.tokens), ours(args.expunge, path, args.tokens)))
        equal = 0
        for prompt, (want, got) in zip(PROMPTS, pairs):
            same = want[0] == got[0] and want[1][:len(got[1])] == got[1]
            equal += same
            if not same:
                print(f"  {prompt!r}\n    llama.cpp {want}\n    expunge   {got}")
        print(f"{os.path.basename(model)}: {equal} of {len(PROMPTS)} equal")
        failed = failed or equal < len(PROMPTS)
    sys.exit(failed)


if __name__ == "__main__":
    main()
