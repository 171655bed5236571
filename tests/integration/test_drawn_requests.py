"""Whatever requests schemathesis draws from the OpenAPI document are answered as the document says.

All of its checks, with a token, on a user who has a conversation. `CASES=300` draws more: so many for each
operation, from each of the ways to draw.
"""

import os
import random
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ApiUser

CONFIG = Path(__file__).parents[1] / "schemathesis.toml"
CASES = int(os.environ.get("CASES", "40"))


def test_drawn_requests_are_answered_as_the_document_says(
    api_url: str, alice: ApiUser, tmp_path: Path
) -> None:
    seed = random.randrange(2**32)
    reply = alice.say("Hello").json()
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run"]
    command += [f"{api_url}/api/openapi.json", "--checks", "all", "--continue-on-failure", "--no-color"]
    command += ["--seed", str(seed), "--max-examples", str(CASES)]
    ids = {
        "TOKEN": alice.token,
        "USER_ID": alice.id,
        "CONVERSATION_ID": reply["conversation_id"],
        "MESSAGE_ID": reply["message_id"],
    }
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **ids}, capture_output=True, text=True, check=False
    )
    print(done.stdout, done.stderr)
    found = re.search(r"(\d+) generated", done.stdout)
    assert done.returncode == 0
    assert found
    assert int(found[1]) >= 1_000
