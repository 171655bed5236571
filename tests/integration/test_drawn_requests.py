"""Requests that schemathesis draws from the OpenAPI document are answered as the document says.

All of its checks, as a user who has a conversation. The same requests in each run; `CASES=200` draws others,
and so many for each operation.
"""

import os
import random
import re
import subprocess
import sys
from pathlib import Path
from string import Template

from tests.conftest import ApiUser

CONFIG = Path(__file__).parents[1] / "schemathesis.toml"
CASES = os.environ.get("CASES", "25")


def test_drawn_requests_are_answered_as_the_document_says(
    api_url: str, alice: ApiUser, tmp_path: Path
) -> None:
    conversation_id = alice.say("Hello").json()["conversation_id"]
    question, answer = alice.messages(conversation_id)
    config = Template(CONFIG.read_text()).substitute(
        TOKEN=alice.token,
        USER_ID=alice.id,
        CONVERSATION_ID=conversation_id,
        OTHER_ID=alice.say("Goodbye").json()["conversation_id"],
        QUESTION_ID=question["id"],
        ANSWER_ID=answer["id"],
    )
    (tmp_path / CONFIG.name).write_text(config)
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{api_url}/api/openapi.json"]
    # All checks are on. To say so here would overrule what the file says about single operations.
    command += ["--continue-on-failure", "--no-color", f"--max-examples={CASES}"]
    seed = random.randrange(2**32) if "CASES" in os.environ else 1
    command += [f"--seed={seed}", "--output-truncate=true"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    found = re.search(r"(\d+) generated", done.stdout)
    assert found
    assert int(found[1]) >= 1_000
