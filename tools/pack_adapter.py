#!/usr/bin/env python3
"""Packs a trained adapter for the program: PEFT's float32 file as float16, and a record of its making.

    tools/pack_adapter.py TRAINED ROWS.jsonl data/adapter

TRAINED is the folder of `expunge finetune --adapter`, ROWS what it was trained on.
"""
import array
import hashlib
import json
import struct
import sys
from pathlib import Path

KEPT = ("method", "knobs", "seed", "system", "expunge", "libtorch", "weights_hash")


def packed(source):
    """(name, shape, float16 bytes) of each tensor of a safetensors file of float32."""
    data = source.read_bytes()
    size = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8 : 8 + size])
    for name, entry in sorted(header.items()):
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        values = array.array("f", data[begin:end])
        yield name, entry["shape"], struct.pack(f"<{len(values)}e", *values)


def write(tensors, path):
    header, blobs, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, shape, blob in tensors:
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    trained, rows, out = map(Path, sys.argv[1:])
    weights = out / "adapter_model.safetensors"
    write(packed(trained / "adapter_model.safetensors"), weights)
    training = json.loads((trained / "expunge.json").read_text())["training"]
    record = {key: training[key] for key in KEPT if key in training}
    record |= {
        "rows": sum(1 for _ in open(rows, encoding="utf-8")),
        "rows_sha256": hashlib.sha256(rows.read_bytes()).hexdigest(),
        "adapter_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
    }
    (out / "record.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
