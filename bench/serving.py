#!/usr/bin/env python3
"""What serving costs on the default model: start to first token, a request to forget alone and
beside 8 streams, the longest pause of a stream, memory over many requests.

    bench/serving.py [--expunge PROGRAM] [--requests 10000] [--rounds 3]

Bounded in number and time; it speaks to 127.0.0.1 alone and keeps its journal in a temporary folder.
"""
import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/cli"))
import cli  # noqa: E402
from serve_test import Server  # noqa: E402

PLAN = "that the capital of France is Paris"


def memory_mb(server):
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


def forget(server, plan):
    begun = time.monotonic()
    status, outcome = server.call("POST", "/v1/expunge/requests", {"plan": plan})
    seconds = time.monotonic() - begun
    if status != 200 or outcome["verdict"] != "passed":
        sys.exit(f"the request failed: {outcome}")
    server.call("POST", f"/v1/expunge/entries/{outcome['entry']}/undo", {})
    return seconds


def beside_streams(server, plan, n=8):
    stop, times = threading.Event(), [[] for _ in range(n)]

    def talk(i):
        while not stop.is_set():
            body = {"prompt": f"A story of {i + 3} friends:", "stream": True, "max_tokens": 800, "temperature": 1}
            for seconds, _, _ in server.stream("/v1/completions", body):
                times[i].append(seconds)

    threads = [threading.Thread(target=talk, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    time.sleep(1)
    begun = time.monotonic()
    seconds = forget(server, plan)
    ended = time.monotonic()
    stop.set()
    for t in threads:
        t.join()
    pauses = [b - a for own in times for a, b in zip(own, own[1:]) if begun <= b <= ended]
    return seconds, max(pauses), len(pauses) / (ended - begun)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--expunge", default=str(ROOT / "build/release/expunge"))
    parser.add_argument("--requests", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    cli.PROGRAM = args.expunge
    with tempfile.TemporaryDirectory(prefix="expunge-serving-") as home:
        environment = dict(os.environ, EXPUNGE_HOME=home)
        starts = []
        for _ in range(5):
            begun = time.monotonic()
            server = Server(environment)
            next(server.stream("/v1/completions", {"prompt": "Hello", "stream": True, "max_tokens": 1}))
            starts.append(time.monotonic() - begun)
            server.kill(signal.SIGINT)
        print(f"start to first token: {statistics.median(starts):.2f} s (median of 5)")
        server = Server(environment)
        _, planned = server.call("POST", "/v1/expunge/plans", {"words": PLAN})
        plan = planned["proposals"][0]["plan"]
        forget(server, plan)
        alone, beside, pauses, rates = [], [], [], []
        for _ in range(args.rounds):
            alone.append(forget(server, plan))
            seconds, pause, rate = beside_streams(server, plan)
            beside.append(seconds)
            pauses.append(pause)
            rates.append(rate)
        print(f"a request to forget: alone {statistics.median(alone):.2f} s, beside 8 streams "
              f"{statistics.median(beside):.2f} s, ratio {statistics.median(beside) / statistics.median(alone):.2f}")
        print(f"longest pause of a stream meanwhile: {max(pauses):.2f} s; {statistics.median(rates):.0f} tokens/s")
        begun, samples = time.monotonic(), []
        for i in range(args.requests):
            if i % max(1, args.requests // 10) == 0:
                samples.append(memory_mb(server))
            server.call("POST", "/v1/completions", {"prompt": f"Number {i} of many:", "max_tokens": 1})
        samples.append(memory_mb(server))
        print(f"memory over {args.requests} requests ({time.monotonic() - begun:.0f} s), MB: "
              + " ".join(f"{m:.0f}" for m in samples))
        server.kill(signal.SIGINT)


if __name__ == "__main__":
    main()
