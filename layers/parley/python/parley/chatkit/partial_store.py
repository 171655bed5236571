"""The base of Parley's two stores: the SDK wants twelve operations of each, and calls a few."""

from typing import Any

from chatkit.store import Store
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata
from typing_extensions import TypeVar

Context = TypeVar("Context", default=Any)


class PartialStore(Store[Context]):
    """Each operation raises NotImplementedError until a subclass overrides it."""

    async def load_thread(self, *_: Any, **__: Any) -> ThreadMetadata:
        raise NotImplementedError

    async def save_thread(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError

    async def load_threads(self, *_: Any, **__: Any) -> Page[ThreadMetadata]:
        raise NotImplementedError

    async def delete_thread(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError

    async def load_thread_items(self, *_: Any, **__: Any) -> Page[ThreadItem]:
        raise NotImplementedError

    async def load_item(self, *_: Any, **__: Any) -> ThreadItem:
        raise NotImplementedError

    async def add_thread_item(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError

    async def save_item(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError

    async def delete_thread_item(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError

    async def save_attachment(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError

    async def load_attachment(self, *_: Any, **__: Any) -> Attachment:
        raise NotImplementedError

    async def delete_attachment(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError
