# Everything CI checks, except the tests that need root.
check: fmt clippy doc test

fmt:
    cargo fmt --check

clippy:
    cargo clippy --all-targets -- -D warnings

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

test:
    cargo test

# Needs cargo-deny.
deny:
    cargo deny check bans licenses sources

# Real servers on loopback; needs root and Debian's packages, see tests/live/README.md.
live:
    tests/live/run

# Exports asked of the formats' own tools; needs root and packages, see tests/exports/README.md.
exports:
    tests/exports/run

# Packet counts in a network namespace; needs root.
netns:
    tests/netns/run

# The engine's parts, then the engine beside its peers; needs root, see tests/bench/README.md.
bench:
    cargo bench
    cargo build --release --bin hostkin --example hunt_street
    tests/bench/run
    tests/bench/hunt
