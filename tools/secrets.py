#!/usr/bin/env python3
"""Looks for secrets in what a test run wrote: logs of its processes, their lines of the audit, output of its tests.

    tools/secrets.py FOLDER OR FILE ...

A secret is what a test planted (the mark of crates/testkit/src/logs.rs stands in each), and what looks like one whoever made
it: a token, a private key, a seed, a password in an address. Prints file and line of each, without the secret, and exits 1
when there is any, or when there is nothing to look at.
"""

import re
import sys
from pathlib import Path

LOGS = Path(__file__).parent.parent / "crates/testkit/src/logs.rs"
MARK = re.search(r'const PLANTED: &str = "([^"]+)"', LOGS.read_text())[1]

# What it is, how it looks, and one that must be found, which is put together here so that this file has none.
KINDS = [
    ("what a test planted", re.escape(MARK), MARK + "-1"),
    ("a token", r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}", ".".join(["eyJhbGciOiJFUzI1NiJ9", "eyJzdWIiOiJhZGEifQ", "c2lnbmF0dXJl"])),
    ("a bearer token", r"(?i)\bbearer\s+[\w.~+/-]{16,}", "Bearer " + "0123456789abcdef"),
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\"d\"\s*:\s*\"[\w-]{20,}\"", "-----BEGIN " + "PRIVATE KEY-----"),
    ("a seed of NATS", r"\bS[ACNOUX][A-Z2-7]{56}\b", "SU" + "A" * 56),
    ("a password in an address", r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"']*:[^\s/@\"'*]+@", "postgres://app:" + "word@host"),
]


def found_in(line):
    return next((what for what, looks, _ in KINDS if re.search(looks, line)), None)


def files_of(path):
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def main():
    for what, looks, sample in KINDS:
        if not re.search(looks, f'{{"said": "{sample}"}}'):
            sys.exit(f"tools/secrets.py does not see {what}")
    paths = [Path(path) for path in sys.argv[1:]]
    if missing := [str(path) for path in paths if not path.exists()]:
        sys.exit(f"secrets: there is no {missing[0]}")
    files = [file for path in paths for file in files_of(path)]
    lines = found = 0
    for file in files:
        with open(file, errors="replace") as text:
            for number, line in enumerate(text, 1):
                lines += 1
                if what := found_in(line):
                    found += 1
                    print(f"{file}:{number}: {what} is written", file=sys.stderr)
    if found:
        sys.exit(f"secrets: {found} lines of {lines} tell one; the tests' processes must not write it")
    if not lines:
        sys.exit("secrets: nothing was written, so nothing was looked at")
    print(f"secrets: none in {lines} lines of {len(files)} files")


main()
