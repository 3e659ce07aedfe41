#!/usr/bin/env python3
"""Load on `expunge serve` beside llama.cpp's server, on one file with the same threads, in turn.

    python3 -m venv ~/.cache/expunge/peers
    CMAKE_ARGS=-DGGML_NATIVE=ON ~/.cache/expunge/peers/bin/pip install --no-binary llama-cpp-python 'llama-cpp-python[server]'
    bench/load.py MODEL.gguf [--clients 1,8,64] [--requests N] [--rounds N] [--peer SERVER…]

Each client sends one /v1/completions after the other (streamed, greedy, a prompt of its own of about
60 tokens, 48 new tokens) until all N requests (2 a client at least) are done; bounded in number and
time. Reported: requests a second, and the median and the 99th percentile of the time to the first
token and of the time between tokens; medians over the rounds. --peer is a command that serves the
same API at port {port}; the default is llama-cpp-python's. Only 127.0.0.1 is ever spoken to.
"""
import argparse
import http.client
import json
import os
import queue
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEER = (f"{Path.home()}/.cache/expunge/peers/bin/python -m llama_cpp.server --model {{model}} --n_threads {{threads}} "
        "--n_threads_batch {threads} --port {port} --n_ctx 8192 --verbose false")
TOKENS = 48
TIME_LIMIT_S = 240
HOME = tempfile.mkdtemp(prefix="expunge-load-")  # of the journal, which stays empty


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def one_request(port, number, times, gaps):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIME_LIMIT_S)
    words = " ".join(f"word{(number * 7919 + i * 104729) % 9973}" for i in range(12))
    body = {"prompt": f"Request {number}. A list of words: {words}. A story about them:",
            "max_tokens": TOKENS, "temperature": 0, "stream": True}
    begun = time.monotonic()
    connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
    last, n = begun, 0
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(f"{response.status} {response.read()[:200]}")
    for raw in response:
        if not raw.startswith(b"data: {"):
            continue
        choices = json.loads(raw[6:])["choices"]
        if not choices or not choices[0].get("text"):
            continue
        now = time.monotonic()
        (gaps if n else times).append(now - last)
        last, n = now, n + 1
    connection.close()


def load(port, clients, requests):
    jobs, times, gaps, failures = queue.Queue(), [], [], []
    for i in range(requests):
        jobs.put(i)

    def client():
        while True:
            try:
                number = jobs.get_nowait()
            except queue.Empty:
                return
            try:
                one_request(port, number, times, gaps)
            except Exception as error:  # counted, so that a peer that refuses is seen
                failures.append(str(error))

    threads = [threading.Thread(target=client) for _ in range(clients)]
    begun = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    seconds = time.monotonic() - begun

    def at(values, share):
        return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")

    return {"requests_s": (requests - len(failures)) / seconds, "first_p50": at(times, 0.5),
            "first_p99": at(times, 0.99), "token_p50": at(gaps, 0.5), "token_p99": at(gaps, 0.99),
            "failures": len(failures)}


class Server:
    def __init__(self, command, port):
        self.port = port
        self.process = subprocess.Popen(command.split(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env=dict(os.environ, EXPUNGE_HOME=HOME))

    def __enter__(self):
        begun = time.monotonic()
        while True:
            try:
                one_request(self.port, 0, [], [])
                return self
            except OSError:
                if time.monotonic() - begun > 60 or self.process.poll() is not None:
                    sys.exit("the server did not start")
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--expunge", default=str(ROOT / "build/release/expunge"))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--clients", default="1,8,64")
    parser.add_argument("--requests", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", default=PEER)
    args = parser.parse_args()
    commands = {"expunge": f"{args.expunge} serve -m {args.model} --threads {args.threads} --port {{port}}",
                "peer": args.peer.format(model=args.model, threads=args.threads, port="{port}")}
    for clients in map(int, args.clients.split(",")):
        figures = {name: [] for name in commands}
        for _ in range(args.rounds):
            for name, command in commands.items():
                port = free_port()
                with Server(command.format(port=port), port):
                    figures[name].append(load(port, clients, max(args.requests, 2 * clients)))
        medians = {name: {key: statistics.median(f[key] for f in rounds) for key in rounds[0]}
                   for name, rounds in figures.items()}
        for name, f in medians.items():
            print(f"{clients:3} clients  {name:8} {f['requests_s']:6.2f} requests/s  first token "
                  f"{1000 * f['first_p50']:6.0f} ms (p99 {1000 * f['first_p99']:6.0f})  next "
                  f"{1000 * f['token_p50']:5.1f} ms (p99 {1000 * f['token_p99']:5.1f})  "
                  f"failed {f['failures']:.0f}", flush=True)
        print(f"     ratio of requests/s: {medians['expunge']['requests_s'] / medians['peer']['requests_s']:.2f}")


if __name__ == "__main__":
    main()
