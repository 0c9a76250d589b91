"""Merkle trees of RFC 6962 for the second verifier, from leaves or from whole subtrees."""

import hashlib


def leaf(data):
    return hashlib.sha256(b"\0" + data).digest()


def joined(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_root(leaves):
    """Section 2.1."""
    return Tree([(1, leaf(data)) for data in leaves]).root()


class Tree:
    """Pieces are (number of leaves, hash): powers of two, each at a multiple of itself."""

    def __init__(self, pieces):
        self.pieces, self.size = pieces, sum(count for count, _ in pieces)

    def root(self, size=None):
        """Over the first `size` leaves; none where a piece reaches across."""
        size, peaks, at = self.size if size is None else size, [], 0
        for count, digest in self.pieces:
            if at == size:
                break
            at += count
            while peaks and peaks[-1][0] == count:
                digest, count = joined(peaks.pop()[1], digest), 2 * count
            peaks.append((count, digest))
        if at != size:
            return None
        if not peaks:
            return hashlib.sha256(b"").digest()
        digest = peaks.pop()[1]
        while peaks:
            digest = joined(peaks.pop()[1], digest)
        return digest
