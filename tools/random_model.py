#!/usr/bin/env python3
"""Writes a Llama-shaped GGUF with random Q4_K weights, to measure memory and time on large models.

    tools/random_model.py OUT.gguf [--like TOKENIZER.gguf] [--layers 32 --width 4096 --ff 11008
                                    --heads 32 --kv-heads 32]

The defaults are the shape of Llama 2 7B (3.9 GB). The tokenizer is that of TOKENIZER.gguf, by
default the default model's. What it answers means nothing.
"""
import argparse
import os
import random
import struct
from pathlib import Path

GGUF_STRING, GGUF_ARRAY, GGUF_U32, GGUF_F32 = 8, 9, 4, 6
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
F32, Q4_K = 0, 12
ALIGNMENT = 32
DEFAULT = Path.home() / ".cache/expunge/models/SmolLM2-135M-Instruct.Q4_1.gguf"


def text(s):
    return struct.pack("<Q", len(s.encode())) + s.encode()


def skip_value(data, at, kind):
    if kind == GGUF_STRING:
        return at + 8 + struct.unpack_from("<Q", data, at)[0]
    if kind != GGUF_ARRAY:
        return at + SIZES[kind]
    item, n = struct.unpack_from("<IQ", data, at)
    at += 12
    if item != GGUF_STRING:
        return at + n * SIZES[item]
    for _ in range(n):
        at = skip_value(data, at, GGUF_STRING)
    return at


def tokenizer_entries(path):
    """The entries of a GGUF whose keys begin with "tokenizer.", as bytes; and the number of tokens."""
    data = Path(path).read_bytes()
    magic, _, _, n_entries = struct.unpack_from("<4sIQQ", data, 0)
    assert magic == b"GGUF", f"{path} is not a GGUF"
    at, entries, n_tokens = 24, [], 0
    for _ in range(n_entries):
        begin = at
        n = struct.unpack_from("<Q", data, at)[0]
        key = data[at + 8:at + 8 + n].decode()
        kind = struct.unpack_from("<I", data, at + 8 + n)[0]
        value = at + 12 + n
        at = skip_value(data, value, kind)
        if key == "tokenizer.ggml.tokens":
            n_tokens = struct.unpack_from("<Q", data, value + 4)[0]
        if key.startswith("tokenizer."):
            entries.append(data[begin:at])
    return entries, n_tokens


def q4_k(rng, rows, columns, spread):
    """Blocks of 144 bytes: d, dmin (float16), scales and minima of six bits, four bits a weight.
    With random bits a weight is d * 31.5 * 7.5 - dmin * 31.5 on average, about d * 31.5 * 5 apart."""
    d = struct.pack("<e", spread / 150)
    dmin = struct.pack("<e", spread / 150 * 7.5)
    blocks = rows * columns // 256
    data = bytearray(rng.randbytes(blocks * 144))
    for i, byte in enumerate(d + dmin):
        data[i::144] = bytes([byte]) * blocks
    return data


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--like", default=DEFAULT)
    for name, value in (("layers", 32), ("width", 4096), ("ff", 11008), ("heads", 32),
                        ("kv-heads", 32), ("context", 4096)):
        parser.add_argument("--" + name, type=int, default=value)
    args = parser.parse_args()
    entries, n_tokens = tokenizer_entries(args.like)
    kv_width = args.width // args.heads * args.kv_heads
    entries.append(text("general.architecture") + struct.pack("<I", GGUF_STRING) + text("llama"))
    for key, value in (("block_count", args.layers), ("embedding_length", args.width),
                       ("feed_forward_length", args.ff), ("attention.head_count", args.heads),
                       ("attention.head_count_kv", args.kv_heads), ("context_length", args.context),
                       ("rope.dimension_count", args.width // args.heads), ("vocab_size", n_tokens)):
        entries.append(text("llama." + key) + struct.pack("<II", GGUF_U32, value))
    for key, value in (("attention.layer_norm_rms_epsilon", 1e-5), ("rope.freq_base", 10000.0)):
        entries.append(text("llama." + key) + struct.pack("<If", GGUF_F32, value))

    tensors = [("token_embd.weight", Q4_K, (n_tokens, args.width)),
               ("output_norm.weight", F32, (args.width,)),
               ("output.weight", Q4_K, (n_tokens, args.width))]
    for layer in range(args.layers):
        for name, shape in (("attn_norm", (args.width,)), ("ffn_norm", (args.width,)),
                            ("attn_q", (args.width, args.width)), ("attn_k", (kv_width, args.width)),
                            ("attn_v", (kv_width, args.width)),
                            ("attn_output", (args.width, args.width)),
                            ("ffn_gate", (args.ff, args.width)), ("ffn_up", (args.ff, args.width)),
                            ("ffn_down", (args.width, args.ff))):
            tensors.append((f"blk.{layer}.{name}.weight", F32 if len(shape) == 1 else Q4_K, shape))

    def size(kind, shape):
        return shape[0] * 4 if kind == F32 else shape[0] * shape[1] // 256 * 144

    header, offset = b"", 0
    for name, kind, shape in tensors:
        header += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), kind, offset)
        offset += (size(kind, shape) + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    rng = random.Random(1)
    part = args.out + ".part"
    with open(part, "wb") as file:
        file.write(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(entries)))
        file.write(b"".join(entries) + header)
        file.write(b"\0" * (-file.tell() % ALIGNMENT))
        for _, kind, shape in tensors:
            data = (struct.pack("<f", 1.0) * shape[0] if kind == F32
                    else q4_k(rng, *shape, shape[1] ** -0.5))
            file.write(data)
            file.write(b"\0" * (-len(data) % ALIGNMENT))
    os.replace(part, args.out)


if __name__ == "__main__":
    main()
