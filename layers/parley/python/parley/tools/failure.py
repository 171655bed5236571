"""A tool's failure as a return value, so that the model reads it and goes on."""


class ToolFailure(str):
    """The output of a tool that failed. Only its type tells it from any other output."""

    __slots__ = ()
