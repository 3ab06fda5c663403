"""What may be announced and who listens: event types by name, handlers by subscriber and name."""

import keyword
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Final, TypeVar

from habitat.events.errors import UnknownEventType

T = TypeVar("T")
ANY: Final = "*"


class Subscriber(StrEnum):
    """The four that listen (domain §9)."""

    NOTIFICATIONS = "notifications"
    TREASURY = "treasury"
    SYNC = "sync"
    ANALYTICS = "analytics"


@dataclass(frozen=True, slots=True)
class DeliveredEvent:
    """What a handler is given: the fact as it was written, never the object that wrote it."""

    id: int
    name: str
    payload: dict[str, Any]
    actor: str
    occurred_at: datetime


Handler = Callable[[DeliveredEvent], None]

_names: dict[type, str] = {}
# Types with a key that is a word of Python's: the field is written `from_`, the key is announced as `from`.
_spelled: dict[type, dict[str, str]] = {}
_types: dict[str, type] = {}
_handlers: dict[tuple[str, str], tuple[Handler, ...]] = {}


def event_type(cls: type[T]) -> type[T]:
    """Registers a frozen dataclass with `name: ClassVar[str]` and JSON-able fields as an event type."""
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not is_dataclass(cls):
        raise TypeError(f"{cls.__name__} needs `name: ClassVar[str]` and @dataclass(frozen=True)")
    _refuse_what_json_cannot_carry(cls)
    known = _types.get(name)
    if known is not None and known.__qualname__ != cls.__qualname__:
        raise ValueError(f"the event name {name} is taken by {known.__qualname__}")
    _types[name] = cls
    _names[cls] = name
    keys = {field.name: field.name.removesuffix("_") for field in fields(cls)}
    if any(keyword.iskeyword(key) for key in keys.values()):
        _spelled[cls] = keys
    return cls


def payload_keys(cls: type) -> list[str]:
    """The keys an event of this type is announced with, in order."""
    return list(_spelled.get(cls, {field.name: field.name for field in fields(cls)}).values())


def payload_of(event: object) -> object:
    """What is written of an event: itself, or its fields under keys that Python could not spell."""
    keys = _spelled.get(type(event))
    return event if keys is None else {key: getattr(event, name) for name, key in keys.items()}


def event_types() -> dict[str, type]:
    """Every registered type by its name."""
    return dict(_types)


def name_of(cls: type) -> str:
    """The name `cls` is announced under. Raises UnknownEventType."""
    try:
        return _names[cls]
    except KeyError:
        raise UnknownEventType(name=cls.__name__) from None


def subscribe(subscriber: str, event_name: str, handler: Handler) -> None:
    """`handler` hears every event of `event_name` (or `ANY`) in the name of `subscriber`.

    Several handlers of one subscriber share one delivery: they run in order, in one transaction.
    """
    key = (Subscriber(subscriber).value, event_name)
    if handler not in _handlers.get(key, ()):
        _handlers[key] = (*_handlers.get(key, ()), handler)
    subscribers_of.cache_clear()


def unsubscribe(subscriber: str, event_name: str, handler: Handler) -> None:
    """Takes `handler` off again."""
    key = (Subscriber(subscriber).value, event_name)
    left = tuple(known for known in _handlers.get(key, ()) if known != handler)
    if left:
        _handlers[key] = left
    else:
        _handlers.pop(key, None)
    subscribers_of.cache_clear()


def handlers(subscriber: str, event_name: str) -> tuple[Handler, ...]:
    """What `subscriber` does when it hears `event_name`, in order of registration."""
    return _handlers.get((subscriber, event_name), ()) + _handlers.get((subscriber, ANY), ())


@cache
def subscribers_of(event_name: str) -> tuple[str, ...]:
    """Who gets a delivery of `event_name`: every subscriber with a handler for it."""
    return tuple(subscriber.value for subscriber in Subscriber if handlers(subscriber.value, event_name))


_PLAIN: Final = (str, int, bool, types.NoneType)


def _refuse_what_json_cannot_carry(cls: type) -> None:
    for name, hint in typing.get_type_hints(cls).items():
        if typing.get_origin(hint) is not typing.ClassVar and not _is_plain(hint):
            raise TypeError(f"{cls.__name__}.{name}: an event carries str, int, bool, None, list and dict only")


def _is_plain(hint: Any) -> bool:
    if hint in _PLAIN or hint in (list, dict, Any):
        return True
    origin = typing.get_origin(hint)
    if origin in (list, dict, tuple, types.UnionType, typing.Union):
        return all(_is_plain(part) for part in typing.get_args(hint) if part is not Ellipsis)
    return False
