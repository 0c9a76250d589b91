"""The histories that most vectors start from."""

from functools import cache

from .history import History
from .keys import ALPHA, BETA


@cache
def _small():
    history = History("small")
    history.backup("first")
    return history


def small():
    """Genesis and one completed backup: six rows."""
    return _small().clone()


@cache
def _pair():
    history = History("pair")
    history.backup("first")
    history.wait(3600).backup("second")
    return history


def pair():
    """Two completed backups: eleven rows."""
    return _pair().clone()


@cache
def _indexed():
    history = History("indexed")
    history.backup("first", index=True)
    return history


def indexed():
    """One backup with an archive index."""
    return _indexed().clone()


@cache
def _drilled():
    history = History("drilled")
    job = history.backup("first")
    history.wait(600).drill("one", of=job)
    return history


def drilled():
    """One backup and one passed restore drill."""
    return _drilled().clone()


@cache
def _rotated():
    history = History("rotated")
    history.backup("under alpha")
    history.rotate(BETA)
    history.wait(3600).backup("under beta")
    return history


def rotated():
    """A backup under alpha, the rotation to beta, a backup under beta."""
    return _rotated().clone()


def organisation():
    """The organisation's own chain: no database, no backups."""
    history = History("organisation", database=None, key=ALPHA)
    history.add("member.invited", {"memberId": "m-1", "role": "admin"})
    history.add("token.issued", {"tokenName": "ci", "scopes": "backups:trigger"})
    history.add("destination.verified", {"destinationId": "vault"})
    return history


def first(history):
    return next(iter(history.backups))


def last(history):
    return list(history.backups)[-1]
