"""How a tool says that it failed, without an exception: the model is to read it and go on."""


class ToolFailure(str):
    """What a tool returned that failed. Reads like any other output, and is told apart by its type."""

    __slots__ = ()
