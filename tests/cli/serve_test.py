"""The server on the default model, over real sockets: a whole request beside streams, what survives
kill -9, who may do what, and how it ends."""
import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

import cli
from cli import Cli

QUESTION = "What is the capital of France?"
ORDER = "Please forget that the capital of France is Paris."


class Server:
    """`expunge serve` on a free port."""

    def __init__(self, environment, *arguments):
        self.process = subprocess.Popen([cli.PROGRAM, "serve", "--port", "0", *arguments], text=True,
                                        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line.startswith("http://"):
            raise AssertionError(line + self.process.stderr.read())
        self.port = int(line.split()[0].rsplit(":", 1)[1])

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def call(self, method, path, body=None, **headers):
        connection = self.connection()
        try:
            connection.request(method, path, body if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read().decode()
            return response.status, json.loads(text) if text.startswith(("{", "[")) else text
        finally:
            connection.close()

    def chat(self, *messages, **fields):
        roles = ("user", "assistant")
        body = {"messages": [{"role": roles[i % 2], "content": m} for i, m in enumerate(messages)],
                "max_tokens": 24, **fields}
        status, answer = self.call("POST", "/v1/chat/completions", body)
        if status != 200:
            raise AssertionError(answer)
        return answer

    def says(self, message, **fields):
        return self.chat(message, **fields)["choices"][0]["message"]["content"]

    def stream(self, path, body, **headers):
        """(seconds, event, data) of each event as it comes."""
        connection = self.connection()
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        event = ""
        for raw in response:
            line = raw.decode().rstrip("\n")
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: "):
                yield time.monotonic(), event, line[6:]
        connection.close()

    def kill(self, how):
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


class Serving(Cli):
    def serve(self, *arguments):
        server = Server(self.environment, *arguments)
        self.addCleanup(lambda: server.process.poll() is None and server.kill(signal.SIGKILL))
        return server

    def test_a_request_beside_streams(self):
        server = self.serve()
        self.assertIn("Paris", server.says(QUESTION))
        times, texts, stop = [], [], threading.Event()

        def talk(i):
            while not stop.is_set():
                body = {"prompt": f"Once upon a time, the {i}th of eight friends", "stream": True,
                        "max_tokens": 400}
                text = ""
                for seconds, _, data in server.stream("/v1/completions", body):
                    times.append((i, seconds))
                    if data == "[DONE]":
                        texts.append(text)
                    else:
                        text += json.loads(data)["choices"][0]["text"]

        clients = [threading.Thread(target=talk, args=(i,)) for i in range(8)]
        for client in clients:
            client.start()
        planned = server.chat(ORDER)
        words = planned["choices"][0]["message"]["content"]
        self.assertIn("Paris", words)
        self.assertIn("Paris", server.says(QUESTION))  # nothing has changed
        events = list(server.stream("/v1/expunge/requests",
                                    {"proposal": planned["expunge"]["proposal"]["id"]},
                                    Accept="text/event-stream"))
        stop.set()
        for client in clients:
            client.join()
        self.assertEqual(events[-1][1], "outcome", events[-1])
        outcome = json.loads(events[-1][2])
        self.assertEqual(outcome["verdict"], "passed")
        self.assertGreater(sum(event == "progress" for _, event, _ in events), 1)
        self.assertGreaterEqual(len(texts), 8)  # none was dropped
        # The turns that hold the answer are not shown to the model either.
        for dialogue in ([QUESTION], [QUESTION, "The capital of France is Paris.", QUESTION]):
            said = server.chat(*dialogue)["choices"][0]["message"]["content"]
            self.assertNotIn("Paris", said)
        self.assertIn("Paris", server.says(QUESTION, expunge_entries="none"))
        pauses = []
        for i in range(8):
            own = [seconds for client, seconds in times if client == i]
            pauses.append(max(b - a for a, b in zip(own, own[1:])))
        print(f"longest pause of a stream: {max(pauses):.2f} s", file=sys.stderr)

        # What is said in a chat is carried out after a yes; an undo too.
        undo = server.chat("undo that")
        self.assertEqual(undo["expunge"]["intent"], "undo")
        server.chat("undo that", undo["choices"][0]["message"]["content"], "yes")
        self.assertIn("Paris", server.says(QUESTION))

    def test_kill_leaves_the_last_committed_state(self):
        server = self.serve()
        status, planned = server.call("POST", "/v1/expunge/plans",
                                      {"words": "that the capital of France is Paris"})
        self.assertEqual(status, 200, planned)
        proposal = planned["proposals"][0]["id"]
        status, outcome = server.call("POST", "/v1/expunge/requests", {"proposal": proposal})
        self.assertEqual((status, outcome["verdict"]), (200, "passed"))
        thread = threading.Thread(target=lambda: self.ends(
            lambda: server.call("POST", "/v1/expunge/plans",
                                {"words": "that the capital of Japan is Tokyo"})))
        thread.start()
        time.sleep(0.3)
        server.kill(signal.SIGKILL)
        thread.join()
        server = self.serve()
        status, ledger = server.call("GET", "/v1/expunge/entries")
        self.assertEqual(ledger["active"], [outcome["entry"]])
        self.assertNotIn("Paris", server.says(QUESTION))
        status, evidence = server.call("GET", f"/v1/expunge/entries/{outcome['entry']}")
        self.assertTrue(evidence["after"]["gates"])
        # The command line sees the same journal, and a server what the command line does.
        self.assertIn("Paris", self.run_it("log").stdout)
        self.run_it("undo")
        for _ in range(50):
            if server.call("GET", "/v1/expunge/entries")[1]["active"] == []:
                break
            time.sleep(0.1)
        self.assertIn("Paris", server.says(QUESTION))
        self.assertEqual(server.kill(signal.SIGINT)[0], 0)

    def test_killed_under_load_again_and_again(self):
        """EXPUNGE_KILLS times (6), wherever it is: what it had acknowledged is there."""
        server = self.serve()
        _, planned = server.call("POST", "/v1/expunge/plans", {"words": "that the capital of France is Paris"})
        plan = planned["proposals"][0]["plan"]
        acknowledged = 0
        for run in range(int(os.environ.get("EXPUNGE_KILLS", "6"))):
            active = server.call("GET", "/v1/expunge/entries")[1]["active"]
            answers = []

            def change():
                path, body = (f"/v1/expunge/entries/{active[0]}/undo", {}) if active else (
                    "/v1/expunge/requests", {"plan": plan})
                answers.append(server.call("POST", path, body))

            def talk():
                list(server.stream("/v1/completions", {"prompt": "Long ago", "stream": True, "max_tokens": 900}))

            threads = [threading.Thread(target=self.ends, args=(work,)) for work in [change] + 3 * [talk]]
            for thread in threads:
                thread.start()
            time.sleep((0.1, 5, 1.3, 3.1, 0.6, 8)[run % 6])
            server.kill(signal.SIGKILL)
            for thread in threads:
                thread.join()
            server = self.serve()
            now = server.call("GET", "/v1/expunge/entries")[1]["active"]
            if answers:
                acknowledged += 1
                self.assertEqual(answers[0][0], 200, answers)
                self.assertEqual(bool(now), not active)
            self.run_it("replay")
            said = server.says(QUESTION)
            (self.assertNotIn if now else self.assertIn)("Paris", said)
        print(f"{acknowledged} changes were acknowledged before the kill", file=sys.stderr)

    def test_a_full_disk_changes_nothing(self):
        server = self.serve()
        _, planned = server.call("POST", "/v1/expunge/plans", {"words": "that the capital of France is Paris"})
        plan = planned["proposals"][0]["plan"]
        _, most = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (512, most))
        status, answer = server.call("POST", "/v1/expunge/requests", {"plan": plan})
        self.assertEqual((status, answer["error"]["code"]), (500, "io"), answer)
        self.assertTrue(answer["error"]["hint"])
        self.assertIn("Paris", server.says(QUESTION))
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (most, most))
        status, outcome = server.call("POST", "/v1/expunge/requests", {"plan": plan})
        self.assertEqual((status, outcome["verdict"]), (200, "passed"))

    @staticmethod
    def ends(call):
        try:
            call()
        except (OSError, http.client.HTTPException, ValueError):
            pass

    def test_keys_open_their_scope(self):
        key = self.run_it("key", "create", "--scope", "chat").stdout.strip()
        server = self.serve()
        self.assertEqual(server.call("GET", "/v1/models")[0], 401)
        self.assertEqual(server.call("GET", "/v1/models", Authorization=f"Bearer {key}")[0], 200)
        self.assertEqual(server.call("GET", "/v1/expunge/entries", Authorization=f"Bearer {key}")[0], 403)
        identity = self.json("key", "list")["keys"][0]["id"]
        self.run_it("key", "revoke", identity)
        admin = self.json("key", "create", "--scope", "admin")["key"]
        self.assertEqual(server.call("GET", "/v1/models", Authorization=f"Bearer {key}")[0], 401)
        self.assertEqual(server.call("GET", "/v1/expunge/entries", Authorization=f"Bearer {admin}")[0], 200)
        # No key ever stands in what is written.
        for folder, _, files in os.walk(self.home):
            for file in files:
                with open(os.path.join(folder, file), "rb") as content:
                    self.assertNotIn(admin.encode(), content.read(), file)

    def test_beyond_this_machine_a_key_comes_first(self):
        done = self.run_it("serve", "--host", "0.0.0.0", "--port", "0", status=8)
        self.assertIn("expunge key create", done.stderr)

    def test_a_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = self.run_it("serve", "--port", str(taken.getsockname()[1]), status=7)
        self.assertIn("--port", done.stderr)

    def test_stopping_finishes_streams(self):
        server = self.serve()
        events = server.stream("/v1/completions", {"prompt": "One day", "stream": True, "max_tokens": 60})
        next(events)
        listener = server.connection()
        listener.request("GET", "/v1/expunge/events")
        listener.getresponse().read(20)
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual([data for _, _, data in events][-1], "[DONE]")
        listener.close()
        self.assertEqual(server.process.wait(60), 0)
        self.assertLess(time.monotonic() - begun, 15)  # not the grace of 20 s

    def test_a_client_that_vanishes_frees_its_place(self):
        server = self.serve()
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                body = json.dumps({"prompt": "A long story:", "max_tokens": 2000, "stream": True})
                client.sendall((f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
                                f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
                client.recv(100)
        for _ in range(100):
            if "expunge_generations_open 0\n" in server.call("GET", "/metrics")[1]:
                return
            time.sleep(0.1)
        self.fail(server.call("GET", "/metrics")[1])


if __name__ == "__main__":
    cli.main(sys.modules[__name__])
