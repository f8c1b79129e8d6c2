#!/usr/bin/env python3
"""Finds circles between the modules of each crate: files that cannot be read, tested or moved without each other.

    tools/circles.py [FOLDER OF A CRATE ...]     all crates of the workspace when none is named

A file depends on the file that defines a name it uses, whichever re-export it took the name from. A module that only
declares and re-exports its children does not depend on them. Tests are not looked at. Prints each circle with the names
that tie it, and exits 1 when there is any. It reads text, not types: methods and macros tie nothing.
"""

import re
import sys
from collections import defaultdict
from glob import glob
from pathlib import Path

NOISE = re.compile(
    r'//[^\n]*|/\*.*?\*/|\bb?r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|b?\'(?:\\[^\n]*?|[^\'\\\n])\'(?!\w)', re.DOTALL
)
TEST = re.compile(r"#\[cfg\((?:all\()?test\b[^\]]*\]")
USE = re.compile(r"\b(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);")
MOD = re.compile(r"\bmod\s+(\w+)\s*;")
PATH = re.compile(r"(?<![\w:])\w+(?:\s*::\s*\w+)+")


def item_end(text, start):
    """Where the item that begins at `start` ends: at its semicolon or its last brace."""
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] in "{([") - (text[at] in "})]")
        if depth <= 0 and text[at] in ";}":
            return at + 1
    return len(text)


def product_code(text):
    """The text without comments, strings and what is compiled for tests only."""
    text = NOISE.sub(" ", text)
    while test := TEST.search(text):
        text = text[: test.start()] + text[item_end(text, test.end()) :]
    return text


def use_tree(tree):
    """`a::{b, c as d}` as pairs of a path and the name it gets here: (a::b, b), (a::c, d). A glob's name is `*`."""
    head, brace, rest = tree.partition("{")
    path, _, alias = re.sub(r"\s+as\s+", "=", head.strip()).partition("=")
    path = [part.strip() for part in path.split("::") if part.strip()]
    if not brace:
        return [(path, alias or path[-1])] if path else []
    branches, depth = [""], 0
    for char in rest[: rest.rindex("}")]:
        depth += (char == "{") - (char == "}")
        if char == "," and depth == 0:
            branches.append("")
        else:
            branches[-1] += char
    found = [(path + tail, name) for branch in branches for tail, name in use_tree(branch)]
    return [(path, path[-1]) if tail == [*path, "self"] else (tail, name) for tail, name in found]


class Crate:
    """The modules of a crate by their paths, as tuples; the root is ()."""

    def __init__(self, root):
        self.files, self.bodies, self.imports = {}, {}, {}
        self.load((), root, root.parent)

    def load(self, module, file, folder):
        code = product_code(file.read_text())
        self.files[module] = file
        self.imports[module] = [
            (path, name, bool(public)) for public, tree in USE.findall(code) for path, name in use_tree(tree)
        ]
        self.bodies[module] = USE.sub("", code)
        for child in MOD.findall(code):
            for place in (folder / f"{child}.rs", folder / child / "mod.rs"):
                if place.exists():
                    self.load((*module, child), place, folder / child)

    def resolve(self, module, path, seen=frozenset()):
        """The module a path leads to, and the name it defines there (None for the module itself); None outside."""
        here, rest = module, list(path)
        if rest[0] == "crate":
            here, rest = (), rest[1:]
        elif rest[0] in ("self", "super"):
            while rest and rest[0] in ("self", "super"):
                here, rest = (here[:-1] if rest[0] == "super" else here), rest[1:]
        elif (*here, rest[0]) not in self.files and not any(name == rest[0] for _, name, _ in self.imports[here]):
            return None
        while rest:
            if (*here, rest[0]) in self.files:
                here, rest = (*here, rest[0]), rest[1:]
                continue
            if (here, rest[0]) in seen:
                return None
            seen = seen | {(here, rest[0])}
            for target, name, _ in self.imports[here]:
                if name == rest[0]:
                    return self.resolve(here, [*target, *rest[1:]], seen)
            for target, name, _ in self.imports[here]:
                if name == "*" and (found := self.resolve(here, [*target[:-1], rest[0]], seen)):
                    if found[1] is None or re.search(rf"\b{found[1]}\b", self.bodies[found[0]]):
                        return found
            return here, rest[0]
        return here, None

    def edges(self):
        """For each module the modules it depends on, and the names for which it does."""
        edges = defaultdict(lambda: defaultdict(set))
        for module, body in self.bodies.items():
            # A re-export is a use only if the module itself says the name.
            used = [path for path, name, public in self.imports[module] if not public or re.search(rf"\b{name}\b", body)]
            for path in used + [re.split(r"\s*::\s*", path) for path in PATH.findall(body)]:
                found = self.resolve(module, path) if path[-1] != "*" else None
                if found and found[1] and found[0] != module:
                    edges[module][found[0]].add(found[1])
        return edges


def circles(edges):
    """The groups of modules that reach each other."""
    reached = {}
    for module in list(edges):
        seen, ahead = set(), [module]
        while ahead:
            new = set(edges.get(ahead.pop(), ())) - seen
            seen |= new
            ahead += new
        reached[module] = seen
    groups = {frozenset(m for m in reached[module] if module in reached.get(m, ())) for module in reached}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def main():
    found = False
    for folder in map(Path, sys.argv[1:] or sorted(glob("crates/*") + glob("services/*") + ["tests"])):
        for root in filter(Path.exists, (folder / "src" / name for name in ("lib.rs", "main.rs"))):
            edges = (crate := Crate(root)).edges()
            for circle in circles(edges):
                found = True
                print(f"circles: {len(circle)} modules of {folder} need each other:")
                for module, target in ((m, t) for m in circle for t in circle if t in edges[m]):
                    names = ", ".join(sorted(edges[module][target]))
                    print(f"  {crate.files[module]} -> {crate.files[target]}: {names}")
    return int(found)


sys.exit(main())
