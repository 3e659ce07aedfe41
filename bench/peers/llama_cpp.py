#!/usr/bin/env python3
"""expunge and llama.cpp on one file: prompt and decode tokens per second, alternating.

    python3 -m venv ~/.cache/expunge/peers
    CMAKE_ARGS=-DGGML_NATIVE=ON ~/.cache/expunge/peers/bin/pip install --no-binary llama-cpp-python llama-cpp-python
    ~/.cache/expunge/peers/bin/python bench/peers/llama_cpp.py MODEL.gguf [--f32 F32.gguf] [--threads N]

llama.cpp is built from source for this processor (GGML_NATIVE) by llama-cpp-python. Both run the
same token ids with the same number of threads: a prompt in one pass of 512 tokens, and 64 greedy
steps after a prompt of 16. --f32 names the same model as a float32 GGUF; without it the float32
figures have no peer. Each round starts both programs afresh, one after the other; medians over the
rounds are compared. On a machine that does other work too, read the ratios, not the rates.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROMPT, CONTEXT, STEPS = 512, 16, 64


def measure_peer(model, threads):
    """In a child: one warm-up, then one prompt and one decode; prints JSON."""
    sys.path.pop(0)  # this folder, where this file would stand in for the package
    import llama_cpp
    import numpy as np

    started = time.perf_counter()
    llama = llama_cpp.Llama(model, n_ctx=1024, n_batch=PROMPT, n_ubatch=PROMPT, n_threads=threads,
                            n_threads_batch=threads, n_gpu_layers=0, verbose=False)
    vocab = llama.n_vocab()
    ids = [(17 + 7919 * i) % vocab for i in range(PROMPT)]
    context = llama._ctx

    def best():
        row = llama_cpp.llama_get_logits_ith(context.ctx, -1)
        return int(np.argmax(np.ctypeslib.as_array(row, shape=(vocab,))))

    # The low-level call: the wrapper's eval() copies logits of every row, which the C API does not.
    def run(tokens, first):
        n = len(tokens)
        batch = llama_cpp.llama_batch_init(n, 0, 1)
        batch.n_tokens = n
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, first + i, 1
            batch.seq_id[i][0], batch.logits[i] = 0, i == n - 1
        assert llama_cpp.llama_decode(context.ctx, batch) == 0
        result = best()
        llama_cpp.llama_batch_free(batch)
        return result

    def clear():
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context.ctx), True)

    run(ids[:CONTEXT], 0)
    load_s = time.perf_counter() - started
    figures = {}
    for _ in range(2):  # the first is the warm-up
        clear()
        started = time.perf_counter()
        run(ids, 0)
        figures["prompt_tok_s"] = PROMPT / (time.perf_counter() - started)
        clear()
        token = run(ids[:CONTEXT], 0)
        started = time.perf_counter()
        for step in range(STEPS):
            token = run([token], CONTEXT + step)
        figures["decode_tok_s"] = STEPS / (time.perf_counter() - started)
    info = llama_cpp.llama_print_system_info().decode().strip()
    print(json.dumps({**figures, "load_s": load_s, "version": llama_cpp.__version__, "system": info}))


def run_json(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1] if len(done.stdout.splitlines()) > 1
                      and done.stdout.strip().splitlines()[-1].startswith(b"{") else done.stdout)


def peer(model, threads):
    return run_json([sys.executable, os.path.abspath(__file__), model, "--child", "--threads", str(threads)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--f32", help="the same model as a float32 GGUF, for llama.cpp")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--expunge", default=os.path.join(ROOT, "build/release/expunge"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        measure_peer(args.model, args.threads)
        return
    ours, theirs, theirs_f32 = [], [], []
    for round_number in range(args.rounds):
        print(f"round {round_number + 1} of {args.rounds}", file=sys.stderr)
        theirs.append(peer(args.model, args.threads))
        ours.append(run_json([args.expunge, "bench", "engine", "-m", args.model, "--json", "--quiet",
                              "--repeats", "1", "--threads", str(args.threads)]))
        if args.f32:
            theirs_f32.append(peer(args.f32, args.threads))

    def median(rows, pick):
        return statistics.median(map(pick, rows)) if rows else None

    table = {}
    for key in ("prompt_tok_s", "decode_tok_s"):
        table[key] = (median(ours, lambda r: r[key]), median(theirs, lambda r: r[key]))
        table["f32." + key] = (median(ours, lambda r: r["f32"][key]), median(theirs_f32, lambda r: r[key]))
    shares = {k: median(ours, lambda r: r[k]) for k in ("prompt_gemm_share", "decode_read_share")}
    shares.update({"f32." + k: median(ours, lambda r: r["f32"][k]) for k in tuple(shares)})
    if args.json:
        rows = {k: {"ours": a, "peer": b, "ratio": b and a / b} for k, (a, b) in table.items()}
        print(json.dumps({"figures": rows, "shares": shares, "threads": args.threads,
                          "rounds": args.rounds, "peer": theirs[0]["version"], "system": theirs[0]["system"]}))
        return
    print(f"llama-cpp-python {theirs[0]['version']}, {args.threads} threads, {args.rounds} rounds\n"
          f"{theirs[0]['system']}\n")
    print(f"{'figure':<20}{'expunge':>10}{'llama.cpp':>11}{'ratio':>8}")
    for key, (a, b) in table.items():
        print(f"{key:<20}{a:>10.1f}" + (f"{b:>11.1f}{a / b:>8.2f}" if b else f"{'-':>11}{'-':>8}"))
    for key, share in shares.items():
        print(f"{key:<20}{share:>10.2f}")


if __name__ == "__main__":
    main()
