"""Exceptions: one class for each kind, which says what the caller does next."""


class Error(Exception):
    """What went wrong. ``code`` is stable; ``message`` is one line; ``next_action`` says what to do.

    An own signer or storage may raise one with a code of its choice: ``Error("storage-full", "disk of the vault is full")``.
    """

    kind: str
    code: str
    message: str
    causes: list[str]
    next_action: str
    retryable: bool
    exit: int

    def __init__(
        self,
        code: str,
        message: str,
        *,
        kind: str = "",
        causes: list[str] | None = None,
        next_action: str = "",
        retryable: bool = False,
        exit: int = 3,
    ) -> None:
        super().__init__(code, message)
        self.kind = kind
        self.code = code
        self.message = message
        self.causes = causes or []
        self.next_action = next_action
        self.retryable = retryable
        self.exit = exit

    def __str__(self) -> str:
        lines = [f"{self.message} [{self.code}]"]
        lines += [f"  because: {cause}" for cause in self.causes]
        if self.next_action:
            lines.append(f"next: {self.next_action}")
        return "\n".join(lines)


class InvalidError(Error):
    """The call is wrong: fix it, then call again."""


class UnavailableError(Error):
    """Something is out of reach for now: try again later."""


class ConflictError(Error):
    """Someone else moved first: read again, then decide."""


class RefusedError(Error):
    """Not allowed: a key, token, permission or lock stands in the way."""


class DamagedError(Error):
    """Stored data contradicts itself."""


class FailedError(Error):
    """An outside program or server, or a component of one's own, said no: do not retry blindly."""


class CancelledError(Error):
    """The caller asked to stop."""


class InternalError(Error):
    """A defect of Walwarden: report it."""


for _class in [Error, *Error.__subclasses__()]:
    _class.__module__ = "walwarden"

_KINDS: dict[str, type[Error]] = {
    "Invalid": InvalidError,
    "Unavailable": UnavailableError,
    "Conflict": ConflictError,
    "Refused": RefusedError,
    "Damaged": DamagedError,
    "Failed": FailedError,
    "Cancelled": CancelledError,
    "Internal": InternalError,
}


def of(
    kind: str, code: str, message: str, causes: list[str], next_action: str, retryable: bool, exit: int
) -> Error:
    """The exception of a failure."""
    return _KINDS[kind](
        code, message, kind=kind, causes=causes, next_action=next_action, retryable=retryable, exit=exit
    )
