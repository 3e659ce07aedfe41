"""Block formats as the `gguf` package reads and writes them -> quant.golden (bit for bit)."""
import numpy as np
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T

import container

# Where a block holds float16 fields: byte offsets.
HALVES = {
    T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
    T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208],
}
# Subnormal, smallest normal, zero of either sign, one, the largest.
SPECIAL_HALVES = np.array([0x0001, 0x83ff, 0x0400, 0x0000, 0x8000, 0x3c00, 0x7bff], np.uint16)


def random_blocks(rng, kind, n_blocks):
    """Random bits with finite float16 fields, the first few of them special."""
    _, size = GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (n_blocks, size), dtype=np.uint8)
    for offset in HALVES[kind]:
        half = rng.integers(0, 1 << 16, n_blocks, dtype=np.uint16)
        half = np.where((half & 0x7c00) == 0x7c00, half & 0x83ff, half)
        n = min(len(SPECIAL_HALVES), n_blocks - 2)
        half[:n] = SPECIAL_HALVES[:n]
        blocks[:, offset:offset + 2] = half.astype("<u2")[:, None].view(np.uint8)
    return blocks


def weights(rng):
    """[blocks, 32] float32 over magnitudes, with zeros, ties and one-sided blocks."""
    rows = [rng.standard_normal(32) * scale for scale in (1e-6, 1e-3, 0.05, 1, 30, 1000) * 6]
    rows += [np.zeros(32), np.full(32, 0.25), np.full(32, -3.0), np.arange(32) - 16.0,
             np.arange(32) / 8 - 2, np.abs(rng.standard_normal(32)),
             -np.abs(rng.standard_normal(32)), np.where(np.arange(32) % 2, 1.0, -1.0)]
    return np.stack(rows).astype(np.float32)


def main():
    rng = np.random.default_rng(7)
    arrays = {}
    # Every finite or infinite float16 would be 64 k values; a stride reaches all exponents.
    half = np.arange(0, 1 << 16, 61, dtype=np.uint16)
    half = half[((half & 0x7c00) != 0x7c00) | ((half & 0x3ff) == 0)]
    arrays["F16.blocks"], arrays["F16.values"] = half, half.view(np.float16).astype(np.float32)
    arrays["BF16.blocks"] = half
    arrays["BF16.values"] = quants.dequantize(half.view(np.uint8), T.BF16)
    for kind in HALVES:
        n = 4 if kind.name.endswith("_K") else 12
        blocks = random_blocks(rng, kind, n)
        arrays[f"{kind.name}.blocks"] = blocks
        arrays[f"{kind.name}.values"] = quants.dequantize(blocks, kind).astype(np.float32)
    x = weights(rng)
    arrays["quantise.input"] = x
    # Ties and rounding at every place of a half, and its range's ends.
    edge = np.concatenate([x.ravel(), np.float32([65504, 65519.99, 65520, 1e6, -1e6, 6e-8, 2.98e-8,
                                                  2.9802322e-8, 1 + 2**-11, 1 + 3 * 2**-11]),
                           rng.integers(0x33000000, 0x477fe000, 800, dtype=np.uint32)
                           .view(np.float32)])
    arrays["quantise.scalars"] = edge.astype(np.float32)
    with np.errstate(over="ignore"):
        arrays["quantise.F16"] = edge.astype(np.float16)
    arrays["quantise.BF16"] = quants.quantize(edge.astype(np.float32), T.BF16)
    for kind in (T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0):
        arrays[f"quantise.{kind.name}"] = quants.quantize(x, kind)
    container.write("quant", "gguf/quants.py of the gguf package", arrays)


if __name__ == "__main__":
    main()
