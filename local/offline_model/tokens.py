"""Usage as the real API reports it: token counts, and how much of the prompt was cached."""

import hashlib
import json
from dataclasses import dataclass

from local.offline_model.prompt import Prompt, Reply

CACHED_FROM, CACHED_STEP = 1024, 128


@dataclass(frozen=True)
class Usage:
    input_tokens: int
    output_tokens: int
    cached_tokens: int


class PromptCache:
    """Knows which beginnings of prompts were seen before, as the provider's prompt cache does."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def usage(self, prompt: Prompt, reply: Reply) -> Usage:
        total = cached = 0
        digest = hashlib.sha256()
        parts = [json.dumps(prompt.tools) + prompt.instructions]
        parts += [f"{entry.kind} {entry.name} {entry.text}" for entry in prompt.entries]
        for part in parts:
            digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
            total += tokens(part)
            if digest.digest() in self._seen:
                cached = total
            self._seen.add(digest.digest())
        output = reply.text + reply.refusal + "".join(call.name + call.arguments for call in reply.tool_calls)
        cached = cached // CACHED_STEP * CACHED_STEP if cached >= CACHED_FROM else 0
        return Usage(input_tokens=total, output_tokens=tokens(output), cached_tokens=cached)


def tokens(text: str) -> int:
    return -(-len(text) // 4)
