"""DER, as much of it as certificates and timestamps need: every value in its one encoding."""

SEQUENCE, SET, INTEGER, BITS, OCTETS, NULL, OID, UTF8, UTC, GENERALIZED = 0x30, 0x31, 2, 3, 4, 5, 6, 12, 0x17, 0x18


def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    width = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + size.to_bytes(width, "big") + body


def seq(*parts):
    return tlv(SEQUENCE, *parts)


def set_of(*parts):
    return tlv(SET, *sorted(parts))


def context(number, *parts):
    """A context-specific, constructed value."""
    return tlv(0xA0 | number, *parts)


def integer(value):
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(value):
    return tlv(OCTETS, value)


def bits(value):
    return tlv(BITS, b"\0", value)


def boolean(value):
    return tlv(1, b"\xff" if value else b"\0")


def oid(text):
    first, second, *rest = (int(part) for part in text.split("."))
    body = bytes([40 * first + second])
    for part in rest:
        groups = [part & 0x7F]
        while part := part >> 7:
            groups.append(part & 0x7F | 0x80)
        body += bytes(reversed(groups))
    return tlv(OID, body)


def generalized(text):
    return tlv(GENERALIZED, text.encode())


def utf8(text):
    return tlv(UTF8, text.encode())


NOTHING = tlv(NULL)
