# The one list of tasks. Run one with `./just NAME`; CI calls only these.

# Show the tasks.
default:
    @just --justfile {{justfile()}} --list

# A real Postgres backed up, proven and restored before your eyes.
demo *ARGS: _demo-tools
    cargo run --release --package walwarden-cli --bin walwarden -- demo {{ARGS}}

# Format, lints, docs, all tests of Rust, Python, Node and UniFFI against real servers, the vectors. Not wasm-test, deny, wasm, fuzz and bench.
test: _test-tools format-check lint _compiled _tests-at-once doc
    bindings/parity "${CARGO_TARGET_DIR:-target}/parity" python node uniffi
    bindings/reach --check
    @echo "all checks passed"

# All of `test`, the page in Chromium besides, and the table of all vectors in all languages.
bindings: test wasm-test
    bindings/parity "${CARGO_TARGET_DIR:-target}/parity"

# All that is tested, before the tests begin.
_compiled: _test-tools
    cargo test --quiet --workspace --no-run
    bindings/build --quiet

# The Rust tests wait for servers half of their time.
[parallel]
_tests-at-once: tests _tests-beside

_tests-beside: python-tests npm-test uniffi-tests vectors

# All Rust tests against real servers.
tests *ARGS: _test-tools
    WALWARDEN_TEST_FULL=1 WALWARDEN_AZURITE="$WALWARDEN_TOOLS/azurite/node_modules/.bin/azurite-blob" \
        cargo test --workspace --no-fail-fast {{ARGS}}

# Clippy, warnings refused.
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# Whether everything is formatted.
format-check:
    cargo fmt --all -- --check

# API documentation, warnings refused.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Numbers against rivals, written to benches/BASELINE.md by hand after reading.
bench *ARGS: _test-tools
    benches/run {{ARGS}}

# The test vectors and the examples in spec/, judged by the Python program that made them.
[working-directory: 'spec/vectors']
vectors: _python
    "$WALWARDEN_TOOLS/python/bin/python" -m make --check
    "$WALWARDEN_TOOLS/python/bin/python" -m make.check_examples
    "$WALWARDEN_TOOLS/python/bin/python" -m make.check_stamps
    # With the features of the tests, which --example asks for.
    cargo build --quiet --workspace --bin walwarden-verify --example verify_bundle
    "$WALWARDEN_TOOLS/python/bin/python" -m make.check_reports "${CARGO_TARGET_DIR:-../../target}/debug/walwarden-verify"
    PATH="$WALWARDEN_TOOLS/python/bin:$PATH" make/by_hand_test.sh

# The Python wheel for release, in target/wheels.
wheel: _python
    bindings/pyo3/build

# The Python package as it is installed: types, stubs, and all its tests from a clean environment.
python-tests *ARGS: _test-tools _python
    bindings/pyo3/test {{ARGS}}

# Both Node packages for this platform, into target/npm.
npm: _node
    bindings/napi/pack --release

# Wheels and Node packages for every platform, to be published, in target/wheels-all and target/npm-all: tried from clean environments, those for ARM on an emulated processor.
packages: _test-tools _python _node
    bindings/build --quiet
    bindings/napi/pack --all
    bindings/napi/test --all
    bindings/pyo3/build --all
    bindings/pyo3/test --all

# Both Node packages from their files in a clean folder, against a real server.
npm-test *ARGS: _test-tools _node
    bindings/napi/test {{ARGS}}

# The native library and what UniFFI writes for Kotlin, Swift and Ruby, for release, in target/uniffi.
uniffi:
    bindings/uniffi/build

# What UniFFI writes: Python, Ruby and Kotlin run, Swift is only written.
uniffi-tests: _test-tools
    scripts/apt-install ruby ruby-ffi
    scripts/install-kotlin
    bindings/uniffi/test

# Licences, sources and duplicate versions of all dependencies.
deny:
    [ -x "$WALWARDEN_TOOLS/cargo-deny/bin/cargo-deny" ] || cargo install --quiet cargo-deny --root "$WALWARDEN_TOOLS/cargo-deny"
    PATH="$WALWARDEN_TOOLS/cargo-deny/bin:$PATH" cargo deny check bans licenses sources

# One decoder of the verifier against made-up input, for so many seconds; the targets are in fuzz/fuzz_targets.
[working-directory: 'fuzz']
fuzz TARGET SECONDS:
    [ -x "$WALWARDEN_TOOLS/cargo-fuzz/bin/cargo-fuzz" ] || cargo install --quiet cargo-fuzz --root "$WALWARDEN_TOOLS/cargo-fuzz"
    mkdir -p corpus/{{TARGET}}
    PATH="$WALWARDEN_TOOLS/cargo-fuzz/bin:$PATH" RUSTC_BOOTSTRAP=1 \
        cargo fuzz run {{TARGET}} corpus/{{TARGET}} seeds/{{TARGET}} -- -max_total_time={{SECONDS}}

# Whether both leaves build for wasm32-unknown-unknown, and how large they are. Two minutes the first time.
wasm:
    scripts/check-wasm

# The verifier as one page for browsers: target/browser/walwarden-verifier.html. Ends with 3 where it cannot be built.
wasm-page:
    nice scripts/build-wasm-page

# The page in Chromium without a network: all vectors, a bundle larger than memory, what a person does. Five minutes the first time.
[working-directory: 'bindings/wasm']
wasm-test: wasm-page _browser
    node --test --test-timeout=300000 tests/
    ../parity ../../target/parity wasm

# How fast the page verifies, for benches/BASELINE.md.
[working-directory: 'bindings/wasm']
wasm-bench: wasm-page _browser
    node bench.mjs

_demo-tools:
    scripts/apt-install build-essential postgresql jq openssl

_test-tools:
    scripts/apt-install build-essential postgresql jq openssl lz4 python3 zstd
    scripts/install-postgres
    scripts/install-azurite

_browser:
    scripts/apt-install chromium
    npm ci --silent --no-audit --no-fund --prefix bindings/wasm

_python:
    scripts/install-python

_node:
    scripts/install-node-tools
