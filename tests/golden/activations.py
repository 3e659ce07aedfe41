"""Activations as ggml's CPU kernels round them -> activations.golden (bit for bit).

Calls quantize_row_q8_0, q8_1 and q8_K of the libggml-cpu that the llama-cpp-python wheel builds
(MIT), and reads their blocks back: ggml/src/ggml-common.h, block_q8_0, block_q8_1, block_q8_K.
"""
import ctypes
from pathlib import Path

import llama_cpp
import numpy as np

import container

ROWS, WIDTH = 4, 512
lib = ctypes.CDLL(str(next((Path(llama_cpp.__file__).parent / "lib").glob("libggml-cpu.so"))))
BLOCKS = {  # weights, fields
    "q8_0": (32, [("d", "<f2"), ("q", "i1", 32)]),
    "q8_1": (32, [("d", "<f2"), ("s", "<f2"), ("q", "i1", 32)]),
    "q8_K": (256, [("d", "<f4"), ("q", "i1", 256), ("sums", "<i2", 16)]),
}


def rounded(kind, x):
    weights, fields = BLOCKS[kind]
    blocks = np.zeros(x.size // weights, np.dtype(fields))
    getattr(lib, f"quantize_row_{kind}")(x.ctypes.data_as(ctypes.c_void_p),
                                         blocks.ctypes.data_as(ctypes.c_void_p),
                                         ctypes.c_int64(x.size))
    return (blocks["d"].astype(np.float32)[:, None] * blocks["q"].astype(np.float32)).reshape(-1)


rng = np.random.default_rng(5)
x = (rng.standard_normal((ROWS, WIDTH)) * rng.choice([1e-3, 1, 30], (ROWS, WIDTH))).astype(np.float32)
x[1, :256] = 0
x[2, 32:64] = 0
arrays = {"x": x}
for name in BLOCKS:
    arrays[name] = rounded(name, x.reshape(-1))
assert (arrays["q8_0"] == arrays["q8_1"]).all()
container.write("activations", f"ggml of llama-cpp-python {llama_cpp.__version__}", arrays)
