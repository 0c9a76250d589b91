"""Bytes to values for the second verifier: container, strict JSON, base64, PEM. Imports nothing of the generator."""

import base64
import binascii
import json
import re
import zlib

MIB = 1 << 20
MAX_INPUT, MIN_OUTPUT, MAX_RATIO, MAX_ENTRIES = 8 << 30, 16 * MIB, 400, 200_000
MAX_PATH, MAX_DEPTH, MAX_NOTE_LINES, MAX_INTEGER = 255, 64, 1000, 2**53 - 1
MAX_GZIP_TEXT = 65535

UUID7 = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
PATH = re.compile(
    rf"audit_events\.json|disclosure\.json|checkpoint|checkpoint\.tsr|bundle\.json|README\.txt|backups/{UUID7}/(manifest\.json|index\.json|artifact\.dump)"
    rf"|drills/{UUID7}/receipt\.json|keys/[0-9a-f]{{64}}\.pem"
)
LIMITS = [
    (re.compile(r"audit_events\.json|.*\.dump"), None), (re.compile(r".*/index\.json"), 256 * MIB),
    (re.compile(r"bundle\.json"), 64 * MIB), (re.compile(r"disclosure\.json"), 16 * MIB), (re.compile(r".*"), MIB),
]  # fmt: skip


# The name of a key in notes and vkeys: no white space of Unicode, no control character, no plus sign.
KEY_NAME = r"[^\s+\x00-\x1f\x7f-\x9f]+"

# The caller knows which document it reads, and puts that document's code in the place of this one.
FORM = None


class Malformed(Exception):
    """The form of one document is broken: exit 3."""

    def __init__(self, code, detail):
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


def gunzip(data):
    limit = max(MIN_OUTPUT, MAX_RATIO * len(data))
    if len(data) > MAX_INPUT:
        raise Malformed("bundle-limit", "the file is larger than 8 GiB")
    if any(len(text) > MAX_GZIP_TEXT for text in gzip_texts(data)):
        raise Malformed("bundle-gzip", "a text of the gzip header is too long")
    inflate = zlib.decompressobj(wbits=31)
    try:
        out = inflate.decompress(data, limit + 1)
    except zlib.error as error:
        raise Malformed("bundle-gzip", str(error)) from error
    if len(out) > limit:
        raise Malformed("bundle-limit", f"expands to more than {limit} bytes")
    if not inflate.eof:
        raise Malformed("bundle-gzip", "the gzip member is cut off")
    if inflate.unused_data:
        raise Malformed("bundle-gzip", "bytes follow the gzip member")
    return out


def gzip_texts(data):
    """File name and comment of the header, where there are any (RFC 1952)."""
    flags, at = data[3:4] or b"\0", 10
    if flags[0] & 4:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for flag in (8, 16):
        if flags[0] & flag:
            text = data[at:].split(b"\0", 1)[0]
            at += len(text) + 1
            yield text


def octal(field):
    found = re.fullmatch(rb"([0-7]+)[ \0]+", field)
    if not found:
        raise Malformed("bundle-tar", "a tar number is not octal digits and an end")
    return int(found[1], 8)


def untar(data):
    files, at = {}, 0
    if len(data) % 512:
        raise Malformed("bundle-tar", "tar length is no multiple of 512")
    while True:
        header = data[at : at + 512]
        if len(header) < 512:
            raise Malformed("bundle-tar", "tar ends without end blocks")
        if not any(header):
            break
        at += 512
        if octal(header[148:156]) != sum(header[:148]) + 8 * 32 + sum(header[156:]):
            raise Malformed("bundle-tar", "tar header checksum")
        if header[257:265] != b"ustar\x0000":
            raise Malformed("bundle-tar", "not ustar")
        if header[156:157] != b"0" or any(header[157:257] + header[345:]):
            raise Malformed("bundle-entry-type", "not a plain ustar file entry")
        name = header[:100].split(b"\0")[0]
        if any(header[len(name) : 100]) or not PATH.fullmatch(name.decode("latin-1")):
            raise Malformed("bundle-path", repr(name))
        name, size = name.decode(), octal(header[124:136])
        limit = next(limit for pattern, limit in LIMITS if pattern.fullmatch(name))
        if limit is not None and size > limit:
            raise Malformed("bundle-limit", name)
        body, padded = data[at : at + size], -(-size // 512) * 512
        if len(data) < at + padded or any(data[at + size : at + padded]):
            raise Malformed("bundle-tar", f"{name} is cut off or its padding is not zero")
        if name in files:
            raise Malformed("bundle-duplicate", name)
        if len(files) == MAX_ENTRIES:
            raise Malformed("bundle-limit", "more than 200,000 entries")
        files[name] = body
        at += padded
    if len(data) - at < 1024 or any(data[at:]):
        raise Malformed("bundle-tar", "end blocks missing or followed by data")
    return files


def canonical(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("utf-8")


def strict_json(data):
    """The value, or Malformed unless the bytes are its canonical form within the writing profile."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(FORM, "not UTF-8") from error
    if _depth(text) > MAX_DEPTH:
        raise Malformed("bundle-limit", "JSON nested too deeply")

    def refuse(token):
        raise Malformed(FORM, token)

    try:
        value = json.loads(text, parse_float=refuse, parse_constant=refuse, object_pairs_hook=strict_pairs)
    except (ValueError, RecursionError) as error:
        raise Malformed(FORM, str(error)) from error
    _profile(value)
    try:
        same = canonical(value) == data
    except UnicodeEncodeError as error:
        raise Malformed(FORM, "lone surrogate") from error
    if not same:
        raise Malformed(FORM, "differs from its canonical form")
    return value


def _depth(text):
    depth = deepest = 0
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text, re.DOTALL):
        if token in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in "]}":
            depth -= 1
    return deepest


def strict_pairs(pairs):
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Malformed(FORM, "an object has one key twice")
    return value


def _profile(value):
    if isinstance(value, str) and "\x7f" in value:
        raise Malformed(FORM, "U+007F in a text")
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise Malformed(FORM, str(value))
    elif isinstance(value, list):
        for item in value:
            _profile(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if not name.isascii() or "\x7f" in name:
                raise Malformed(FORM, "object key is not ASCII")
            _profile(item)


def base64_bytes(text, length=None):
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(FORM, "not base64") from error
    if base64.b64encode(data).decode() != text or length not in (None, len(data)):
        raise Malformed(FORM, "base64 is not canonical or has the wrong length")
    return data


SPKI_HEAD = bytes.fromhex("302a300506032b6570032100")
PEM = re.compile(r"-----BEGIN PUBLIC KEY-----(?:(.*?)-----END PUBLIC KEY-----)?", re.DOTALL)


def pem_keys(data):
    """The raw Ed25519 public keys of a PEM file, read as RFC 7468 (lax): whatever else it holds is text between."""
    keys = []
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Malformed(FORM, "PEM is not UTF-8") from error
    for found in PEM.finditer(text):
        if found[1] is None:
            raise Malformed(FORM, "a PEM block without its end")
        der = base64_bytes(re.sub("[ \t\n\f\r]", "", found[1]))
        if der[:12] != SPKI_HEAD or len(der) != 44:
            raise Malformed(FORM, "not an Ed25519 public key")
        if is_weak(der[12:]):
            raise Malformed(FORM, "low order")
        keys.append(der[12:])
    if not keys:
        raise Malformed(FORM, "no PEM block")
    return keys


FIELD = 2**255 - 19
D = -121665 * pow(121666, -1, FIELD) % FIELD


def is_weak(raw):
    """Whether the key is no point, not in its shortest form, or of small order (8P is the neutral element)."""
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= FIELD:
        return True
    square = (y * y - 1) * pow(D * y * y + 1, -1, FIELD) % FIELD
    x = pow(square, (FIELD + 3) // 8, FIELD)
    if x * x % FIELD != square:
        x = x * pow(2, (FIELD - 1) // 4, FIELD) % FIELD
    if x * x % FIELD != square or (x == 0 and raw[31] >> 7):
        return True
    point = (x, y)
    for _ in range(3):
        point = _double(*point)
    return point == (0, 1)


def _double(x, y):
    product = D * x * x * y * y % FIELD
    return (
        2 * x * y * pow(1 + product, -1, FIELD) % FIELD,
        (y * y + x * x) * pow(1 - product, -1, FIELD) % FIELD,
    )
