"""OpenAI's official client for Python, and the calls that Open WebUI makes, against a real server
(EXPUNGE_URL)."""
import json
import os
import unittest
import urllib.request

import openai

URL = os.environ["EXPUNGE_URL"]
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


class Client(unittest.TestCase):
    def setUp(self):
        self.client = openai.OpenAI(base_url=URL + "/v1", api_key=os.environ.get("EXPUNGE_KEY", "none"),
                                    max_retries=0)
        self.model = self.client.models.list().data[0].id

    def test_a_chat_whole_and_streamed(self):
        whole = self.client.chat.completions.create(model=self.model, messages=QUESTION, max_tokens=20,
                                                    temperature=0)
        self.assertIn("Paris", whole.choices[0].message.content)
        text, usage = "", None
        for chunk in self.client.chat.completions.create(
                model=self.model, messages=QUESTION, max_completion_tokens=20, temperature=0, stream=True,
                stream_options={"include_usage": True}):
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
            usage = chunk.usage or usage
        self.assertEqual(text, whole.choices[0].message.content)
        self.assertEqual(usage, whole.usage)

    def test_a_text_with_echo_and_scores(self):
        reply = self.client.completions.create(model=self.model, prompt="The capital of France is", echo=True,
                                               logprobs=2, max_tokens=1, temperature=0)
        scores = reply.choices[0].logprobs
        self.assertEqual("".join(scores.tokens), reply.choices[0].text)
        self.assertIsNone(scores.token_logprobs[0])
        self.assertTrue(all(p <= 0 for p in scores.token_logprobs[1:]))
        self.assertEqual(scores.text_offset[:2], [0, len(scores.tokens[0])])

    def test_tools_reach_the_prompt(self):
        tools = [{"type": "function", "function": {"name": "look_up", "description": "Looks a word up.",
                                                   "parameters": {"type": "object", "properties": {}}}}]
        messages = QUESTION + [
            {"role": "assistant", "content": None,
             "tool_calls": [{"id": "1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "1", "content": "Paris"}]
        reply = self.client.chat.completions.create(model=self.model, messages=messages, tools=tools, max_tokens=5)
        self.assertTrue(reply.usage.prompt_tokens)

    def test_the_same_seed_gives_the_same(self):
        def write(seed):
            return self.client.completions.create(model=self.model, prompt="Once upon a time", max_tokens=12,
                                                  temperature=1.2, seed=seed).choices[0].text
        self.assertEqual(write(3), write(3))
        self.assertNotEqual(write(3), write(4))

    def test_errors_are_the_clients_own(self):
        with self.assertRaises(openai.NotFoundError):
            self.client.chat.completions.create(model="another", messages=QUESTION)
        with self.assertRaises(openai.BadRequestError) as refused:
            self.client.chat.completions.create(model=self.model, messages=QUESTION, frequency_penalty=1)
        self.assertIn("frequency_penalty", str(refused.exception))

    def test_what_open_webui_calls(self):
        """Models, then chats with the parameters that it sends, streamed, and a title by a task prompt."""
        def post(path, body):
            request = urllib.request.Request(URL + path, json.dumps(body).encode(),
                                             {"Content-Type": "application/json", "Authorization": "Bearer none"})
            with urllib.request.urlopen(request, timeout=120) as response:
                return response.read().decode()
        with urllib.request.urlopen(URL + "/v1/models", timeout=30) as response:
            model = json.load(response)["data"][0]["id"]
        body = {"stream": True, "model": model, "messages": QUESTION, "params": {}, "features": {},
                "stream_options": {"include_usage": True}, "max_tokens": 16, "chat_id": "c", "session_id": "s"}
        events = [line[6:] for line in post("/v1/chat/completions", body).split("\n") if line.startswith("data: ")]
        self.assertEqual(events[-1], "[DONE]")
        self.assertTrue(json.loads(events[-2])["usage"]["total_tokens"])
        title = {"model": model, "stream": False, "max_completion_tokens": 30, "messages": [
            {"role": "user", "content": "### Task:\nGenerate a concise title for the chat history."}]}
        self.assertTrue(json.loads(post("/v1/chat/completions", title))["choices"][0]["message"]["content"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
