"""Attacks on gzip, tar, paths and limits."""

import dataclasses

from . import pack
from .bundle import archive, content, seal
from .pack import BLOCK, Member
from .stories import first, small

MIB = 1 << 20


def add(cases):
    history = small()
    job = first(history)
    members = pack.members(seal(history, content(history)))
    tar = pack.tar(members)
    gzips(cases, tar)
    endings(cases, members)
    headers(cases, members, job)
    paths(cases, members, job)
    limits(cases, history, job)


def gzips(cases, tar):
    def bad(name, data, why, attack="A29"):
        cases.bad(name, data, 3, "bundle-gzip", why, attack=attack)

    good = pack.gzip(tar)
    bad("gzip-empty-file", b"", "A file of no bytes.", "A2")
    bad("gzip-missing", tar, "A tar that is not compressed.")
    bad("gzip-second-member", good + pack.gzip(b"hidden"), "A second gzip member.")
    bad("gzip-second-member-empty", good + pack.gzip(b""), "A second gzip member of no bytes.")
    halves = pack.gzip(tar[:2048]) + pack.gzip(tar[2048:])
    cases.bad("gzip-tar-in-two-members", halves, 3, "", "One tar in two gzip members.", attack="A29")
    bad("gzip-trailing-bytes", good + b"hidden", "Bytes after the gzip trailer.")
    bad("gzip-trailing-zeros", good + bytes(16), "Zeros after the gzip trailer.")
    bad("gzip-truncated", good[:-200], "The compressed data ends early.")
    bad("gzip-without-trailer", good[:-8], "The trailer is missing.")
    bad("gzip-crc-wrong", good[:-8] + bytes([good[-8] ^ 1]) + good[-7:], "The checksum is wrong.")
    bad("gzip-length-wrong", good[:-4] + bytes([good[-4] ^ 1]) + good[-3:], "The length is wrong.")
    bad("gzip-method-unknown", good[:2] + b"\x07" + good[3:], "A method other than deflate.")
    bad("gzip-block-type-reserved", good[:10] + b"\x07" + good[11:], "A deflate block of the reserved type.")


def endings(cases, members):
    def bad(name, tar, why, codes="bundle-tar", attack="A29"):
        cases.bad(name, pack.gzip(tar), 3, codes, why, attack=attack)

    tar = pack.tar(members)
    bad("tar-no-end-blocks", pack.tar(members, 0), "No end blocks.")
    bad("tar-one-end-block", pack.tar(members, 1), "One end block.")
    bad("tar-data-after-end", tar + b"hidden".ljust(BLOCK, b"\0"), "Bytes after the end blocks.")
    bad("tar-entry-after-end", tar + pack.tar([Member("README.txt", b"other")]), "An entry after the end blocks.")
    bad("tar-entry-between-end-blocks", pack.tar(members, 1) + pack.tar([Member("README.txt", b"x")]), "An entry after one end block.")
    bad("tar-length-odd", tar + b"\0", "The length is no multiple of 512.")
    bad("tar-empty", b"", "A gzip member of no bytes.", attack="A2")
    bad("tar-truncated-in-data", tar[: 512 + 100], "The tar ends within a file.")
    last = dataclasses.replace(members[-1], padding=b"x")
    bad("tar-padding-not-zero", pack.tar(members[:-1] + [last]), "Bytes are hidden in the padding.")


def headers(cases, members, job):
    def bad(name, why, codes="bundle-entry-type", attack="A28", extra=None, **changes):
        entries = members + [extra] if extra else [*members[:-1], dataclasses.replace(members[-1], **changes)]
        cases.bad(name, pack.gzip(pack.tar(entries)), 3, codes, why, attack=attack)

    path = f"backups/{job}/artifact.dump"
    for letter, meaning in [
        ("1", "hard-link"), ("2", "symlink"), ("3", "character-device"), ("4", "block-device"), ("5", "folder"), ("6", "fifo"),
        ("7", "contiguous"), ("S", "sparse"), ("L", "gnu-long-name"), ("K", "gnu-long-link"), ("x", "pax-header"),
        ("g", "pax-global-header"), ("V", "volume-label"), ("D", "gnu-folder"), ("A", "vendor"),
    ]:  # fmt: skip
        link = b"/etc/passwd" if letter in "12" else b""
        bad(f"tar-{meaning}", f"An entry of type {letter}.", extra=Member(path, b"", typeflag=letter.encode(), linkname=link))
    bad("tar-old-regular-file", "An entry of type NUL.", typeflag=b"\0")
    bad("tar-prefix", "The prefix field is not empty.", prefix=b"etc")
    bad("tar-regular-with-link-name", "A regular file with a link name.", linkname=b"/etc/passwd")
    bad("tar-header-tail", "Bytes behind the header's last field.", tail=b"hidden")
    bad("tar-gnu-magic", "The magic of GNU tar.", "bundle-tar", magic=b"ustar  \0")
    bad("tar-no-magic", "A header from before ustar.", "bundle-tar", magic=bytes(8))
    bad("tar-checksum-wrong", "The header's checksum is wrong.", "bundle-tar", "A29", checksum_field=b"000000\0 ")
    bad("tar-size-binary", "A size in base 256.", "bundle-tar", size_field=b"\x80" + bytes(10) + b"\x10")
    bad("tar-size-negative", "A size with a sign.", "bundle-tar", size_field=b"-0000000020\0")
    bad("tar-size-beyond-end", "A size beyond the end of the file.", "", "A30", size_field=b"00070000000\0")
    bad("tar-size-empty", "A size of no digits.", "bundle-tar", size_field=b" " * 12)


def paths(cases, members, job):
    def bad(name, path, why, codes="bundle-path", attack="A28"):
        data = pack.gzip(pack.tar([*members, Member(path, b"x")]))
        cases.bad(name, data, 3, codes, why, attack=attack)

    bad("path-absolute", "/etc/passwd", "An absolute path.")
    bad("path-parent", "../checkpoint", "A path that climbs out.")
    bad("path-parent-inside", f"backups/{job}/../../x", "A path that climbs in the middle.")
    bad("path-dot", "./checkpoint", "A path that begins with a dot.")
    bad("path-backslash", "keys\\x.pem", "A backslash.")
    bad("path-drive", "C:checkpoint", "A drive letter.")
    bad("path-empty", "", "An empty name.", "")
    bad("path-double-slash", "keys//x.pem", "Two slashes.")
    bad("path-trailing-slash", f"backups/{job}/", "A folder's name.")
    bad("path-unknown", "notes.txt", "A path the format does not name.")
    bad("path-hidden", ".DS_Store", "A path the format does not name.")
    bad("path-upper-case", "CHECKPOINT", "The same name in upper case.", attack="A27")
    bad("path-job-id-upper-case", f"backups/{job.upper()}/manifest.json", "Ids are lower case.", attack="A27")
    bad("path-job-not-uuid", "backups/1/manifest.json", "A job that is no UUID.")
    bad("path-key-name-short", "keys/abcd.pem", "A key file is named by its id.")
    bad("path-not-utf8", b"keys/\xff.pem", "A name that is not UTF-8.", attack="A13")
    bad("path-control-character", b"keys/\x1b[2J.pem", "A name that would write to the terminal.", attack="A13")
    bad("path-bytes-after-nul", b"checkpoint\0hidden", "Bytes behind the name's end.", "")
    bad("manifest-in-root", "manifest.json", "A manifest outside its folder.", attack="A16")
    twice = next(member for member in members if member.name == "checkpoint")
    for name, extra in [("same", twice), ("other", dataclasses.replace(twice, data=b"other\n"))]:
        data = pack.gzip(pack.tar([*members, extra]))
        cases.bad(f"path-twice-{name}-bytes", data, 3, "bundle-duplicate", "A name stands twice.", attack="A27")
    data = pack.gzip(pack.tar([Member("audit_events.json", b"[]"), *members]))
    cases.bad("rows-twice-first-differs", data, 3, "bundle-duplicate", "First and last of one name differ.", attack="A27")
    history = small()
    listed = content(history) | {"notes.txt": b"x"}
    cases.bad("path-unknown-but-listed", archive(seal(history, listed)), 3, "bundle-path",
              "Any other path is malformed, also when it is listed.", attack="A28")  # fmt: skip


def limits(cases, history, job):
    def bad(name, data, why):
        cases.bad(name, data, 3, "bundle-limit", why, attack="A30")

    size = 20 * MIB
    cases.bad("bomb-of-zeros", pack.gzip(bytes(size), pack.zeros(size)), 3, "", "20 MiB of zeros in 20 KiB.", attack="A30")
    for name in ("README.txt", "checkpoint", f"backups/{job}/manifest.json"):
        files = content(history)
        files[name] = b"x" * (MIB + 1)
        bad(f"{name.split('/')[-1].split('.')[0].lower()}-too-large", archive(seal(history, files)), "One byte more than 1 MiB.")
