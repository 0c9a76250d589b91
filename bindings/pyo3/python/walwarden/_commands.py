"""The commands that are installed with the package: the same programs as anywhere, in this process."""

import sys
from typing import NoReturn

from . import _native


def walwarden() -> NoReturn:
    """``walwarden``."""
    sys.exit(_native.walwarden(sys.argv[1:]))


def walwarden_verify() -> NoReturn:
    """``walwarden-verify``."""
    sys.exit(_native.walwarden_verify(sys.argv[1:]))
