"""A conversation of sixty messages in two languages with the default model, agreed to beforehand:
whatever is asked, nothing else is edited."""
import json
import sys
from pathlib import Path

import cli
from cli import Cli

LINES = Path(__file__).resolve().parent.parent / "data/transcript.jsonl"
EDITS = ("forget", "correct")


class Conversation(Cli):
    def test_no_wrong_edit(self):
        messages = [json.loads(line) for line in LINES.read_text().splitlines()]
        self.assertEqual(len(messages), 60)
        words = "".join(message["say"] + "\n" for message in messages)
        chat = json.loads(cli.subprocess.run(
            [cli.PROGRAM, "chat", "--yes", "--json", "--max-tokens", "24"], input=words, text=True,
            env=self.environment, capture_output=True, timeout=1200, check=False).stdout)
        turns = chat["turns"]
        wanted = {message["say"]: message for message in messages}
        entries = {entry["id"]: json.dumps(entry, ensure_ascii=False)
                   for entry in self.json("log")["entries"]}
        right = 0
        for turn in turns:
            message = wanted[turn["user"]]
            if "error" in turn:  # refused: nothing has changed
                print(turn, file=sys.stderr)
                continue
            is_edit = turn["intent"] in EDITS
            right += turn["intent"] == message["wants"] or (is_edit and message["wants"] == "edit")
            # What is read as a request is carried out only where it is one, and about that.
            if turn.get("outcome", {}).get("entry"):
                self.assertEqual(message["wants"], "edit", turn)
                self.assertIn(message["about"], entries[turn["outcome"]["entry"]])
            if turn.get("undone"):
                self.assertEqual(message["wants"], "undo", turn)
        print(f"{right} of {len(messages)} read as meant", file=sys.stderr)
        self.assertGreaterEqual(right, 45)


if __name__ == "__main__":
    cli.main(sys.modules[__name__])
