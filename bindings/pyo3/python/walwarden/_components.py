"""What a program may bring of its own."""

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypedDict


Octets = bytes | bytearray | memoryview
"""What lends its memory; it is copied."""


class Signer(Protocol):
    """Signs with an Ed25519 key that never leaves it: a KMS, an HSM, a vault.

    Methods are called on threads of their own, never on that of an event loop, and may block.
    """

    @property
    def public_key(self) -> str:
        """The public half, SPKI PEM."""
        ...

    def sign(self, message: bytes, /) -> Octets:
        """An Ed25519 signature (RFC 8032, 64 bytes) over exactly these bytes."""
        ...


class Upload(Protocol):
    """One object on its way into a :class:`Storage`.

    It may have an attribute ``id``: what :meth:`Storage.abandon` needs to clean up after a process that was killed.
    """

    def write(self, chunk: bytes, /) -> object:
        """Appends bytes."""
        ...

    def finish(self) -> object:
        """Makes the object visible, whole and durable, unless there is one of its name: then ``Error("object-exists", …)``."""
        ...

    def abort(self) -> object:
        """Gives up and removes what was sent."""
        ...


class Storage(Protocol):
    """Keeps objects under names like ``org/acme/db/shop/…``, each written once and never changed.

    Methods are called on threads of their own, several at once, and may block.
    """

    def upload(self, name: str, /) -> Upload:
        """Begins an object of unknown length. Nothing is visible before :meth:`Upload.finish`."""
        ...

    def size(self, name: str, /) -> int | None:
        """The size of an object in bytes, or None where there is none."""
        ...

    def read(self, name: str, start: int, length: int, /) -> Octets:
        """Exactly so many bytes of an object from ``start`` on."""
        ...

    def list(self, prefix: str, /) -> list[tuple[str, int]]:
        """Name and size of every object below ``prefix/``; of all of them where it is empty."""
        ...

    def abandon(self, name: str, upload: str, /) -> object:
        """Removes what the upload of this id left behind; fine to repeat."""
        ...

    def put_if_absent(self) -> bool:
        """Whether the store itself refuses a second object of a name, also when two writers race."""
        ...


class StateEvent(TypedDict):
    """A job reached a state."""

    type: Literal["state"]
    job_id: str
    state: str
    at: str
    payload: dict[str, Any]


class NoticeEvent(TypedDict):
    """Something the operator should know that does not stop the job."""

    type: Literal["notice"]
    text: str


class TransferEvent(TypedDict):
    """Bytes have moved; told ten times a second at most."""

    type: Literal["transfer"]
    done_bytes: int
    total_bytes: int | None


Event = StateEvent | NoticeEvent | TransferEvent

Listener = Callable[[Event], object]
