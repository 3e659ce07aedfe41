"""The golden files' container: 8 bytes of header length, a JSON header, raw little-endian arrays.

Header: {"note": ..., "arrays": {name: [offset, size_bytes]}, "values": {name: any JSON}}.
Read in C++ by tests/golden.h.
"""
import json
import struct
from pathlib import Path

HERE = Path(__file__).resolve().parent


def write(stem, note, arrays=None, values=None):
    payload, table = b"", {}
    for name, array in (arrays or {}).items():
        data = array.tobytes()
        table[name] = [len(payload), len(data)]
        payload += data
    header = json.dumps({"note": note, "arrays": table, "values": values or {}},
                        ensure_ascii=False, indent=None).encode()
    path = HERE / f"{stem}.golden"
    path.write_bytes(struct.pack("<Q", len(header)) + header + payload)
    print(f"{path.name}: {path.stat().st_size} bytes")
