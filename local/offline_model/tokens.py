"""Usage as the real API reports it: token counts, and how much of the prompt was cached."""

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass

from local.offline_model.prompt import Prompt, Reply

CACHED_FROM, CACHED_STEP = 1024, 128
REMEMBERED_PREFIXES = 10_000


@dataclass(frozen=True)
class Usage:
    input_tokens: int
    output_tokens: int
    cached_tokens: int


class PromptCache:
    """Knows which beginnings of prompts were seen before, as the provider's prompt cache does."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

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
            self._remember(digest.digest())
        output = reply.text + reply.refusal + "".join(call.name + call.arguments for call in reply.tool_calls)
        cached = cached // CACHED_STEP * CACHED_STEP if cached >= CACHED_FROM else 0
        return Usage(input_tokens=total, output_tokens=tokens(output), cached_tokens=cached)

    def _remember(self, prefix: bytes) -> None:
        self._seen[prefix] = None
        self._seen.move_to_end(prefix)
        if len(self._seen) > REMEMBERED_PREFIXES:
            self._seen.popitem(last=False)


def tokens(text: str) -> int:
    return -(-len(text) // 4)
