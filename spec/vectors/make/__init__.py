"""Makes the test vectors of spec/vectors without any of the Rust code, and judges them with a second verifier.

Run from spec/vectors: `python3 -m make` writes them, `python3 -m make --check` proves them.
"""
