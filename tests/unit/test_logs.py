"""What a log line says of an error."""

from parley.logs import describe_error


def test_an_error_is_described_by_types_and_without_its_text() -> None:
    error = ValueError("secret")
    error.__cause__ = KeyError("secret")
    described = describe_error(error)
    assert described["error"] == "ValueError < KeyError"
    assert "secret" not in str(described)


def test_errors_that_are_each_others_cause_are_described_at_once() -> None:
    own, first, second = ValueError(), KeyError(), IndexError()
    own.__cause__ = own
    first.__cause__, second.__cause__ = second, first
    assert describe_error(own)["error"].startswith("ValueError < ValueError")
    assert describe_error(first)["error"].startswith("KeyError < IndexError < KeyError")
