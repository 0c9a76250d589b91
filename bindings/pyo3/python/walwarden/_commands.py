"""The commands that are installed with the package: the same programs as anywhere, in this process."""

import signal
import sys
from typing import NoReturn

from . import _native


def walwarden() -> NoReturn:
    """``walwarden``."""
    _leave_interrupts()
    sys.exit(_native.walwarden(sys.argv[1:]))


def walwarden_verify() -> NoReturn:
    """``walwarden-verify``."""
    _leave_interrupts()
    sys.exit(_native.walwarden_verify(sys.argv[1:]))


def _leave_interrupts() -> None:
    """To the program, or to the system: Python would raise once more after its end."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
