"""ustar and gzip, written by hand: the bytes depend on no library version, and attacks can touch every field."""

import zlib
from dataclasses import dataclass

BLOCK = 512


@dataclass
class Member:
    name: str | bytes
    data: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    typeflag: bytes = b"0"
    linkname: bytes = b""
    magic: bytes = b"ustar\x0000"
    uname: bytes = b""
    gname: bytes = b""
    prefix: bytes = b""
    tail: bytes = b""
    size_field: bytes | None = None
    checksum_field: bytes | None = None
    padding: bytes = b"\0"

    def to_bytes(self):
        name = self.name.encode() if isinstance(self.name, str) else self.name
        fields = [
            (name, 100), (b"%07o\0" % self.mode, 8), (b"%07o\0" % self.uid, 8), (b"%07o\0" % self.gid, 8),
            (self.size_field or b"%011o\0" % len(self.data), 12), (b"%011o\0" % self.mtime, 12), (b" " * 8, 8),
            (self.typeflag, 1), (self.linkname, 100), (self.magic, 8), (self.uname, 32), (self.gname, 32),
            (b"0000000\0", 8), (b"0000000\0", 8), (self.prefix, 155), (self.tail, 12),
        ]  # fmt: skip
        header = b"".join(value.ljust(width, b"\0") for value, width in fields)
        assert len(header) == BLOCK, name
        checksum = self.checksum_field or b"%06o\0 " % sum(header)
        return header[:148] + checksum + header[156:] + self.data + self.padding * (-len(self.data) % BLOCK)


def tar(members, end_blocks=2):
    return b"".join(member.to_bytes() for member in members) + bytes(BLOCK * end_blocks)


def members(files):
    """Sorted members for a mapping of path to bytes."""
    return [Member(name, files[name]) for name in sorted(files, key=str.encode)]


def gzip_header(mtime=0, flags=0, extra=b"", os=255):
    return b"\x1f\x8b\x08" + bytes([flags]) + mtime.to_bytes(4, "little") + bytes([0, os]) + extra


def gzip_trailer(data):
    return zlib.crc32(data).to_bytes(4, "little") + (len(data) % 2**32).to_bytes(4, "little")


def gzip(data, deflated=None, **header):
    return gzip_header(**header) + (deflated or deflate(data)) + gzip_trailer(data)


def stored(data):
    """Deflate without compression (RFC 1951 section 3.2.4)."""
    out = b""
    for start in range(0, len(data), 0xFFFF):
        part = data[start : start + 0xFFFF]
        size = len(part).to_bytes(2, "little")
        last = start + 0xFFFF >= len(data)
        out += bytes([last]) + size + bytes(byte ^ 0xFF for byte in size) + part
    return out


class Bits:
    def __init__(self):
        self.value, self.count, self.out = 0, 0, bytearray()

    def put(self, value, width):
        """The lowest bit first, as deflate packs numbers."""
        self.value |= value << self.count
        self.count += width
        while self.count >= 8:
            self.out.append(self.value & 0xFF)
            self.value >>= 8
            self.count -= 8

    def code(self, code, width):
        """The highest bit first, as deflate packs Huffman codes."""
        self.put(int(f"{code:0{width}b}"[::-1], 2), width)

    def finish(self):
        if self.count:
            self.put(0, 8 - self.count)
        return bytes(self.out)


def deflate(data):
    """One block with the fixed code of RFC 1951 section 3.2.6 and a greedy search."""
    bits = Bits()
    bits.put(1, 1)
    bits.put(1, 2)
    seen, at = {}, 0
    while at < len(data):
        head = data[at : at + 3]
        earlier = seen.get(head) if len(head) == 3 else None
        length = 0
        if earlier is not None and at - earlier <= 32768:
            limit = min(258, len(data) - at)
            length = 3
            while length < limit and data[earlier + length] == data[at + length]:
                length += 1
            _symbol(bits, *LENGTHS[length])
            symbol, extra, width = _distance(at - earlier)
            bits.code(symbol, 5)
            bits.put(extra, width)
        else:
            _symbol(bits, data[at], 0, 0)
        for position in range(at, at + max(length, 1)):
            seen[data[position : position + 3]] = position
        at += max(length, 1)
    _symbol(bits, 256, 0, 0)
    return bits.finish()


def _symbol(bits, symbol, extra, width):
    if symbol < 144:
        bits.code(0x30 + symbol, 8)
    elif symbol < 256:
        bits.code(0x190 + symbol - 144, 9)
    elif symbol < 280:
        bits.code(symbol - 256, 7)
    else:
        bits.code(0xC0 + symbol - 280, 8)
    bits.put(extra, width)


def _length_table():
    table, base = {}, 3
    for symbol in range(257, 285):
        width = max(0, (symbol - 261) // 4)
        for extra in range(1 << width):
            table[base + extra] = (symbol, extra, width)
        base += 1 << width
    table[258] = (285, 0, 0)
    return table


LENGTHS = _length_table()


def _distance(distance):
    base = 1
    for symbol in range(30):
        width = max(0, symbol // 2 - 1)
        if distance < base + (1 << width):
            return symbol, distance - base, width
        base += 1 << width
    raise ValueError(distance)


def zeros(size):
    """Deflate of `size` zero bytes at two bits for every 258 of them: about a thousandth of the size."""
    bits = Bits()
    bits.put(1, 1)
    bits.put(2, 2)
    bits.put(286 - 257, 5)  # literal and length codes 0..285
    bits.put(0, 5)  # one distance code
    bits.put(18 - 4, 4)  # code length codes, of which 1, 2 and 18 are used
    for symbol in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1]:
        bits.put({18: 1, 1: 2, 2: 2}.get(symbol, 0), 3)

    def length(value):  # canonical codes: 18 is 0, 1 is 10, 2 is 11
        bits.code(*{18: (0, 1), 1: (2, 2), 2: (3, 2)}[value])

    def gap(count):
        while count:
            part = min(138, count)
            length(18)
            bits.put(part - 11, 7)
            count -= part

    length(2)  # literal 0: code 10
    gap(128)
    gap(127)
    length(2)  # end of block: code 11
    gap(28)
    length(1)  # length 258: code 0
    length(1)  # distance 1: code 0
    bits.code(2, 2)
    full, rest = divmod(size - 1, 258)
    bits.put(0, 2 * full)
    for _ in range(rest):
        bits.code(2, 2)
    bits.code(3, 2)
    return bits.finish()
