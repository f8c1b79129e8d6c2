#!/usr/bin/env bash
# The invariants of ARCHITECTURE.md that cargo-deny cannot express. Silent when all hold.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
broken=0
fail() {
    echo "architecture: $*" >&2
    broken=1
}

sources=$(git ls-files --cached --others --exclude-standard)

builds=$(grep -E '(^|/)build\.rs$' <<<"$sources" || true)
[ "$builds" = crates/proto/build.rs ] || fail "exactly one build script, crates/proto/build.rs; found: $builds"

names=$(grep -hE '^name = ' crates/*/Cargo.toml services/*/Cargo.toml tests/Cargo.toml)
! grep -E '"(waymark-)?(common|utils?|types|helpers?)"' <<<"$names" || fail "a crate is named after nothing in particular"

for crate in domain stats planner; do
    ! grep -nE '^(tokio|tonic|prost|sea-orm|async-nats|waymark-(proto|rpc|store|events|runtime))\b' "crates/$crate/Cargo.toml" ||
        fail "crates/$crate must not know a runtime, the wire or a database"
done

channel=$(sed -n 's/^channel = "\(.*\)"$/\1/p' rust-toolchain.toml)
grep -qx "ARG RUST_VERSION=$channel" deploy/Dockerfile || fail "deploy/Dockerfile builds with another compiler than rust-toolchain.toml names"

# Generated code aside, a file is one idea.
while read -r file; do
    [ -f "$file" ] || continue
    lines=$(wc -l <"$file")
    [ "$lines" -le 450 ] || fail "$file has $lines lines; split it at 450"
    head -n 1 "$file" | grep -q '^//!' || fail "$file does not begin by saying what it is for (//!)"
done < <(grep -E '^(crates|services|tests)/.*\.rs$' <<<"$sources")

# Modules that need each other cannot be understood apart. The finder is shown a circle first, so that its silence says something.
planted=$(mktemp -d)
trap 'rm -rf "$planted"' EXIT
mkdir "$planted/src"
echo 'mod a; mod b; pub use a::One;' >"$planted/src/lib.rs"
echo 'use crate::b::Two; pub struct One(Two);' >"$planted/src/a.rs"
echo 'pub struct Two(Vec<super::One>);' >"$planted/src/b.rs"
! tools/circles.py "$planted" >/dev/null || fail "tools/circles.py does not see a circle"
tools/circles.py >&2 || fail "modules need each other; move what both need into a file of its own"

# What operators are told to look at exists: Prometheus' form of the instruments' names, without units and kinds.
instruments=$(git ls-files '*.rs' | xargs grep -ohE '"(waymark|rpc)(\.[a-z_]+)+"' | tr -d '"' | tr . _ | sort -u)
documented=$(grep -ohE '\b(waymark|rpc_server)_[a-z_]+' deploy/README.md deploy/alerts.yaml | sort -u)
for metric in $documented; do
    name=$(sed -E 's/_(count|bucket|sum)$//; s/_(total|seconds)$//' <<<"$metric")
    grep -qx "$name" <<<"$instruments" || fail "deploy/ speaks of $metric, which no instrument is called"
done

exit $broken
