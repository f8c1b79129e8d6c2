#!/usr/bin/env python3
"""Writes crates/lake/src/funnel/clickhouse.txt: random streams of events, and what ClickHouse's windowFunnel says of each.

    python -m venv venv && venv/bin/pip install chdb==4.4.0
    venv/bin/python tools/clickhouse_funnels.py >crates/lake/src/funnel/clickhouse.txt

ClickHouse comes as the package chdb, which is too large (about 900 MB) to be brought for every run of the tests; so what it
said stands in the repository, and the tests compare with that. Same seed, same file.

A line is: conditions, window, events, and the levels by mode. Conditions are the events' letters, one a step
(`aba` counts a, then b, then a again). Events are letters with times, such as `a1 b1 a3`; x is no step. Levels are those of
the modes none, strict_order and strict_increase, and of no mode where events of one moment are put in the opposite order of steps.
"""
import random

import chdb

STREAMS = 6_000
SEED = 7


def stream(random):
    steps = random.randint(2, 5)
    # Half of the funnels have a step twice.
    letters = [chr(ord("a") + step) for step in range(steps)]
    if random.random() < 0.5:
        letters[random.randrange(1, steps)] = random.choice(letters)
    window = random.randint(1, 12)
    count, spread = random.randint(1, 12), random.choice([3, 8, 20])
    names = sorted(set(letters)) + (["x"] if random.random() < 0.4 else [])
    events = sorted((random.randrange(spread), random.choice(names)) for _ in range(count))
    if random.random() < 0.3:
        events += random.choices(events, k=2)
    random.shuffle(events)
    events.sort(key=lambda event: event[0])
    return "".join(letters), window, events


def main():
    generator = random.Random(SEED)
    streams = [stream(generator) for _ in range(STREAMS)]
    levels = {}
    for conditions in sorted({conditions for conditions, _, _ in streams}):
        for window in range(1, 13):
            of = [index for index, (c, w, _) in enumerate(streams) if (c, w) == (conditions, window)]
            if not of:
                continue
            rows = ",".join(f"({index},{time},'{name}')" for index in of for time, name in streams[index][2])
            tests = ",".join(f"e='{name}'" for name in conditions)
            # Times that are spread within a moment, the last step first: what strict_increase means, told without it.
            spread = ",".join(f"e='{name}' and n={step}" for step, name in enumerate(conditions))
            plain = f"select u, windowFunnel({window})(t, {tests}) a, windowFunnel({window}, 'strict_order')(t, {tests}) b, windowFunnel({window}, 'strict_increase')(t, {tests}) c from v group by u"
            steps = len(conditions)
            expanded = f"select u, windowFunnel({window * 64})(toUInt64(t*64+31-n), {spread}) d from v array join range({steps}) as n group by u"
            query = f"with v as (select * from values('u UInt32, t UInt64, e String', {rows})) select u, a, b, c, d from ({plain}) p join ({expanded}) q using u order by u"
            for line in str(chdb.query(query, "TSV")).splitlines():
                user, *found = map(int, line.split("\t"))
                levels[user] = found
    print(f"# tools/clickhouse_funnels.py, ClickHouse {str(chdb.query('select version()', 'TSV')).strip()}, seed {SEED}")
    for index, (conditions, window, events) in enumerate(streams):
        told = " ".join(f"{name}{time}" for time, name in events)
        print(f"{conditions}|{window}|{told}|{' '.join(map(str, levels[index]))}")


if __name__ == "__main__":
    main()
