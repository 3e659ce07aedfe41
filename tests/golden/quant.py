"""Block formats as the `gguf` package reads and writes them -> quant.golden (bit for bit)."""
import hashlib

import numpy as np
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T

import container

# Where a block holds float16 fields: byte offsets.
HALVES = {
    T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
    T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208],
}
# The same of formats with codebooks and ternary ones. IQ1_M's is scattered, see scatter_halves();
# MXFP4 has an exponent of eight bits.
READ_ONLY_HALVES = {
    T.IQ1_S: [0], T.IQ1_M: [], T.IQ2_XXS: [0], T.IQ2_XS: [0], T.IQ2_S: [0], T.IQ3_XXS: [0],
    T.IQ3_S: [0], T.IQ4_NL: [0], T.IQ4_XS: [0], T.MXFP4: [], T.TQ1_0: [52], T.TQ2_0: [64],
}
SWEEP_BLOCKS = 1024
# Subnormal, smallest normal, zero of either sign, one, the largest.
SPECIAL_HALVES = np.array([0x0001, 0x83ff, 0x0400, 0x0000, 0x8000, 0x3c00, 0x7bff], np.uint16)


def random_halves(rng, n_blocks):
    """Finite float16 as uint16, the first few of them special."""
    half = rng.integers(0, 1 << 16, n_blocks, dtype=np.uint16)
    half = np.where((half & 0x7c00) == 0x7c00, half & 0x83ff, half)
    n = min(len(SPECIAL_HALVES), n_blocks - 2)
    half[:n] = SPECIAL_HALVES[:n]
    return half


def random_blocks(rng, kind, n_blocks, offsets):
    """Random bits with finite float16 fields at the offsets."""
    _, size = GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (n_blocks, size), dtype=np.uint8)
    for offset in offsets:
        half = random_halves(rng, n_blocks)
        blocks[:, offset:offset + 2] = half.astype("<u2")[:, None].view(np.uint8)
    return blocks


def scatter_halves(blocks, half):
    """Writes the scale of IQ1_M: four bits each at the top of the last four uint16."""
    for i in range(4):
        nibble = ((half >> (4 * i)) & 15).astype(np.uint8)
        blocks[:, 49 + 2 * i] = (blocks[:, 49 + 2 * i] & 15) | (nibble << 4)


def dequantise(blocks, kind):
    """As the package does; MXFP4 overflows with the largest exponents, and so must we."""
    with np.errstate(over="ignore", invalid="ignore"):
        return quants.dequantize(blocks, kind).astype(np.float32)


def sweep(kind):
    """SHA-256 of what SWEEP_BLOCKS blocks hold, but for those with values that are not finite.

    Byte i, counted through all blocks, is the top byte of SplitMix64's i-th output with
    seed 0. Reaches the rows of every codebook, where arrays of values would be of megabytes.
    """
    _, size = GGML_QUANT_SIZES[kind]
    z = (np.arange(SWEEP_BLOCKS * size, dtype=np.uint64) + np.uint64(1)) * np.uint64(
        0x9e3779b97f4a7c15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
    z = z ^ (z >> np.uint64(31))
    blocks = (z >> np.uint64(56)).astype(np.uint8).reshape(SWEEP_BLOCKS, size)
    values = dequantise(blocks, kind)
    finite = values[np.isfinite(values).all(axis=1)]
    return hashlib.sha256(finite.astype("<f4").tobytes()).hexdigest()


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
        blocks = random_blocks(rng, kind, n, HALVES[kind])
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
    rng = np.random.default_rng(8)
    values = {}
    for kind, offsets in READ_ONLY_HALVES.items():
        n = 12 if GGML_QUANT_SIZES[kind][0] == 32 else 3
        blocks = random_blocks(rng, kind, n, offsets)
        if kind == T.IQ1_M:
            scatter_halves(blocks, random_halves(rng, n))
        if kind == T.MXFP4:  # both subnormals, one, and the largest, where values overflow
            blocks[:7, 0] = [0, 1, 2, 127, 128, 254, 255]
        arrays[f"{kind.name}.blocks"] = blocks
        arrays[f"{kind.name}.values"] = dequantise(blocks, kind)
        values[f"{kind.name}.sweep"] = sweep(kind)
    container.write("quant", "gguf/quants.py of the gguf package", arrays, values)


if __name__ == "__main__":
    main()
