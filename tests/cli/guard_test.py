"""The guard in front of another server, over real sockets: what passes, what does not, whose keys go
where, and what the operator can do while it runs."""
import http.server
import json
import signal
import socket
import sys
import threading
import time

import cli
from cli import Cli
from serve_test import Server

NAME = "Basil Mahfouz Al-Kuwaiti"
DECLINE = "I'm sorry, but I can't help with that."


class Upstream(http.server.ThreadingHTTPServer):
    """Says `text`, whole or in pieces of five characters; or does what `behaves` names."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.text, self.behaves, self.seen = "The capital of France is Paris.", "", []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def give(self, status, body, kind="application/json", **headers):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.give(200, json.dumps({"object": "list", "data": [{"id": "scripted"}]}))

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        up = self.server
        up.seen.append((dict(self.headers), body))
        if up.behaves == "stalls":
            time.sleep(4)
            return
        if up.behaves == "busy":
            self.give(429, json.dumps({"error": {"message": f"too much about {NAME}"}}), Retry_After="3")
            return
        if up.behaves == "prose":
            self.give(200, f"<html>{NAME}</html>", "text/html")
            return
        frame = {"id": "c-1", "created": 1, "model": "scripted"}
        if not body.get("stream"):
            self.give(200, json.dumps({**frame, "choices": [
                {"index": 0, "message": {"role": "assistant", "content": up.text, "reasoning": NAME},
                 "finish_reason": "stop"}], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}))
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for at in range(0, len(up.text), 5):
            self.event({**frame, "choices": [{"index": 0, "delta": {"content": up.text[at:at + 5]}}]})
            if up.behaves == "breaks" and at > 10:
                return
        self.event({**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.event({**frame, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, data):
        self.wfile.write(f"data: {json.dumps(data)}\n\n".encode())


class Guarding(Cli):
    def setUp(self):
        super().setUp()
        self.upstream = Upstream()
        self.addCleanup(self.upstream.shutdown)
        self.targets = self.home / "names.jsonl"
        self.targets.write_text(json.dumps({"name": NAME, "mode": "refuse"}) + "\n")

    def serve(self, *arguments):
        server = Server(self.environment, *arguments)
        self.addCleanup(lambda: server.process.poll() is None and server.kill(signal.SIGKILL))
        return server

    def guard(self, *arguments):
        return self.serve("--upstream", self.upstream.url, "--targets", str(self.targets), *arguments)

    def streamed(self, server, message, **fields):
        """The text of a stream and its last event."""
        body = {"messages": [{"role": "user", "content": message}], "stream": True, **fields}
        events = [data for _, _, data in server.stream("/v1/chat/completions", body)]
        text = "".join(c["delta"].get("content", "") for e in events[:-1] for c in json.loads(e).get("choices", []))
        return text, events[-1]

    def test_what_passes_and_what_does_not(self):
        begun = time.monotonic()
        server = self.guard()
        self.assertLess(time.monotonic() - begun, 10)  # no weights are read
        self.assertEqual(server.says("What is the capital of France?"), self.upstream.text)
        self.assertEqual(self.streamed(server, "Hello"), (self.upstream.text, "[DONE]"))
        self.upstream.text = f"It was written by {NAME}, a novelist."
        self.assertEqual(server.says("Who wrote it?"), DECLINE)
        text, last = self.streamed(server, "Who wrote it?")
        self.assertTrue(text.endswith(DECLINE), text)
        self.assertNotIn("Basil", text)
        self.assertEqual(last, "[DONE]")
        self.upstream.text = "A novelist."
        self.assertEqual(server.says(f"Who is {NAME}?"), DECLINE)
        self.assertNotIn("Kuwaiti", json.dumps(server.chat("Hello")))
        # Turns that touched a target do not come up again.
        self.assertEqual(server.chat(f"Who is {NAME}?", DECLINE, "And France?")["choices"][0]["message"]["content"],
                         "A novelist.")
        self.assertEqual(server.call("POST", "/v1/embeddings", {})[0], 404)
        self.assertEqual(server.call("GET", "/v1/models")[1]["data"][0]["id"], "scripted")

    def test_failures_keep_their_status(self):
        server = self.guard("--upstream-timeout", "1")
        for behaves, status in (("busy", 429), ("prose", 502), ("stalls", 504)):
            self.upstream.behaves = behaves
            got, answer = server.call("POST", "/v1/chat/completions",
                                      {"messages": [{"role": "user", "content": "Hello"}]})
            self.assertEqual(got, status, behaves)
            self.assertNotIn("Kuwaiti", json.dumps(answer))
            self.assertIn("message", answer["error"])
        self.upstream.behaves = "breaks"
        text, last = self.streamed(server, "Hello")
        self.assertTrue(self.upstream.text.startswith(text))
        self.assertIn("error", json.loads(last))
        with socket.create_server(("127.0.0.1", 0)) as s:
            nobody = s.getsockname()[1]
        server = self.serve("--upstream", f"http://127.0.0.1:{nobody}")
        self.assertEqual(server.call("POST", "/v1/chat/completions",
                                     {"messages": [{"role": "user", "content": "Hello"}]})[0], 502)

    def test_keys(self):
        server = self.guard()
        server.call("POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello"}]},
                    Authorization="Bearer theirs", X_Forwarded_For="1.2.3.4")
        self.assertEqual(self.upstream.seen[-1][0]["Authorization"], "Bearer theirs")
        self.assertNotIn("X-Forwarded-For", self.upstream.seen[-1][0])
        self.assertEqual(server.call("GET", "/v1/guard/targets")[0], 401)  # although no key exists
        # Keys of this server open nothing there; the operator's goes in their place.
        admin = self.json("key", "create", "--scope", "admin")["key"]
        chat = self.json("key", "create")["key"]
        ask = {"messages": [{"role": "user", "content": "Hello"}]}
        self.assertEqual(server.call("POST", "/v1/chat/completions", ask, Authorization=f"Bearer {chat}")[0], 200)
        self.assertNotIn("Authorization", self.upstream.seen[-1][0])  # of a key made meanwhile too
        self.environment["EXPUNGE_UPSTREAM_KEY"] = "ours"
        server = self.guard()
        self.assertEqual(server.call("POST", "/v1/chat/completions", ask)[0], 401)
        self.assertEqual(server.call("POST", "/v1/chat/completions", ask, Authorization=f"Bearer {chat}")[0], 200)
        self.assertEqual(self.upstream.seen[-1][0]["Authorization"], "Bearer ours")
        self.assertEqual(server.call("GET", "/v1/guard/targets", Authorization=f"Bearer {chat}")[0], 403)
        listed = server.call("GET", "/v1/guard/targets", Authorization=f"Bearer {admin}")[1]
        self.assertEqual(listed["targets"][0]["name"], NAME)
        self.assertIn("expunge_guard_requests_total", server.call("GET", "/metrics", Authorization=f"Bearer {admin}")[1])

    def test_the_list_changes_while_it_runs(self):
        self.targets.write_text("")
        server = self.guard()
        self.upstream.text = "It was Paula Smithers-Brown."
        self.assertEqual(server.says("Who?"), self.upstream.text)
        added = self.json("guard", "add", "Paula Smithers-Brown", "--mode", "idk")
        self.assertEqual(server.says("Who?"), "I'm sorry, but I don't know.")
        self.assertEqual(len(self.json("guard", "list")["targets"]), 1)
        self.run_it("guard", "remove", str(added["id"]))
        self.assertEqual(server.says("Who?"), self.upstream.text)
        self.targets.write_text(json.dumps({"name": "Paula Smithers-Brown"}) + "\n")
        self.assertEqual(server.says("Who?"), DECLINE)
        self.targets.write_text("{broken\n")  # what was guarded stays guarded
        self.assertEqual(server.says("Who?"), DECLINE)

    def test_bad_lists_and_addresses(self):
        self.targets.write_text('{"name": "A Bee Cee"}\n{"name": ""}\n')
        for arguments, status in ((("--upstream", self.upstream.url, "--targets", str(self.targets)), cli.INVALID),
                                  (("--upstream", "ftp://x"), cli.USAGE),
                                  (("--upstream", "http://a@b"), cli.USAGE),
                                  (("--upstream", self.upstream.url, "--targets", "nowhere"), cli.NOT_FOUND)):
            done = self.run_it("serve", "--port", "0", *arguments, status=status)
            self.assertIn("error: ", done.stderr)


if __name__ == "__main__":
    cli.main(sys.modules[__name__])
