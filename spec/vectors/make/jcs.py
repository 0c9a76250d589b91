"""Canonical JSON (RFC 8785) for values within the writing profile of spec/manifest.md."""

MAX_INTEGER = 2**53 - 1

SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def canonical(value):
    """The canonical UTF-8 bytes of a value made of dict, list, str, int, bool and None."""
    return _text(value).encode("utf-8")


def _text(value):
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise ValueError(f"integer outside the writing profile: {value}")
        return str(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    if isinstance(value, dict):
        # RFC 8785 orders by UTF-16 code units, which for ASCII keys is the order of code points.
        if not all(key.isascii() for key in value):
            raise ValueError("object keys are ASCII in the writing profile")
        return "{" + ",".join(_string(key) + ":" + _text(value[key]) for key in sorted(value)) + "}"
    raise TypeError(f"not a JSON value of the writing profile: {type(value)}")


def _string(text):
    if "\x7f" in text:
        raise ValueError("U+007F is outside the writing profile")
    out = []
    for char in text:
        if char in SHORT_ESCAPES:
            out.append(SHORT_ESCAPES[char])
        elif char < " ":
            out.append(f"\\u{ord(char):04x}")
        else:
            out.append(char)
    return '"' + "".join(out) + '"'
