"""The conversations that every design starts from, word for word the same."""

INSTRUCTIONS = "You are a helpful assistant in a chat. Answer briefly."
QUESTION = "What does the harbour master of Port Royal write into the ledger tonight?"
# The same for every conversation: a summary has at most 300 words, however long the conversation is.
SUMMARY = "The user asks about the ledger of the harbour master, number by number. " * 12


def messages(count: int) -> list[str]:
    """Questions and answers in turn, oldest first."""
    return [_question(number) if number % 2 == 0 else _answer(number) for number in range(count)]


def roles(count: int) -> list[str]:
    return ["user" if number % 2 == 0 else "assistant" for number in range(count)]


def _question(number: int) -> str:
    return f"Question {number:05}: what stands in the ledger of the harbour master on page {number:05}?"


def _answer(number: int) -> str:
    return (
        f"On page {number:05} it says that a brig came in with the tide, that her papers were in order, that "
        "eleven barrels were brought ashore and counted twice, and that the pilot was paid. Nothing else "
        "happened on that day which anybody thought worth the ink."
    )
