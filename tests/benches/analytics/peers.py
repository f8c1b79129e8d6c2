"""Asks ClickHouse (chdb) and DuckDB what `make bench-analytics` asks Waymark, of the same rows, and times them.

    peers.py EVENTS.parquet FOLDER

The rows are loaded into FOLDER, in ClickHouse in two orders and in DuckDB in two, since each question has one that suits it.
Prints a JSON object a line: {"system", "question", "seconds", "answer"}, seconds of the better order and the best of three.
"""

import json
import os
import sys
import time

STEPS = ["page_view", "search", "create_item", "purchase"]
WEEK = 7 * 86_400 * 1_000_000
COLUMNS = (
    "user_id String, time DateTime64(6, 'UTC'), event LowCardinality(String), country LowCardinality(String), "
    "platform LowCardinality(String), revenue Nullable(Float64)"
)
JSON_ROWS = 1_000_000


def say(system, question, seconds, answer=None):
    print(json.dumps({"system": system, "question": question, "seconds": seconds, "answer": answer}), flush=True)


def best(ask):
    times = []
    for _ in range(3):
        start = time.perf_counter()
        answer = ask()
        times.append(time.perf_counter() - start)
    return min(times), answer


def ask(system, questions, tables, run):
    for question, sql in questions.items():
        seconds, answer = min((best(lambda: run(sql.format(table=table))) for table in tables), key=lambda one: one[0])
        say(system, question, seconds, answer)


def clickhouse(path, folder):
    from chdb import session

    database = session.Session(os.path.join(folder, "clickhouse"))
    database.query("create database if not exists b")
    tables = {"b.by_event": "event, cityHash64(user_id), time", "b.by_user": "cityHash64(user_id), time"}
    for table, order in tables.items():
        database.query(f"create table {table} ({COLUMNS}) engine = MergeTree order by ({order})")
        database.query(f"insert into {table} select * from file('{path}', Parquet)")
    steps = ", ".join(f"event = '{step}'" for step in STEPS)
    some = ", ".join(f"'{step}'" for step in STEPS)
    week = "toDate(toStartOfWeek(time, 1))"
    questions = {
        "trend": "select toDate(time) d, count() from {table} group by d order by d",
        "trend by event": "select toDate(time) d, event, count() from {table} group by d, event order by d, event",
        "trend by country": "select toDate(time) d, country, count() from {table} group by d, country order by d, country",
        "trend of ios": "select toDate(time) d, count() from {table} where platform = 'ios' group by d order by d",
        "daily uniques": "select toDate(time) d, uniqExact(user_id) from {table} group by d order by d",
        "funnel": f"select step, count() from (select arrayJoin(range(1, level + 1)) step from (select windowFunnel({WEEK})(toUInt64(toUnixTimestamp64Micro(time)), {steps}) level "
        f"from {{table}} where event in ({some}) group by user_id)) group by step order by step",
        "retention": f"select c, w, uniqExact(u) from (select user_id u, toDate(toStartOfWeek(min(time), 1)) c, groupUniqArray({week}) ws "
        "from {table} where event = 'page_view' group by user_id) array join ws as w where w > c group by c, w order by c, w",
    }

    def run(sql):
        rows = str(database.query(sql, "JSONCompactEachRow")).splitlines()
        return [json.loads(row) for row in rows]

    ask("ClickHouse", questions, tables, run)
    rows = os.path.join(folder, "rows.jsonl")
    database.query(f"insert into function file('{rows}', JSONEachRow) select * from b.by_user limit {JSON_ROWS}")
    database.query(f"create table b.json ({COLUMNS}) engine = MergeTree order by (cityHash64(user_id), time)")
    start = time.perf_counter()
    database.query(f"insert into b.json select * from file('{rows}', JSONEachRow, $${COLUMNS}$$)")
    (count,) = run("select count() from b.json")[0]
    say("ClickHouse", "ingest", (time.perf_counter() - start) / int(count))


def duckdb(path, folder):
    import duckdb as duck

    database = duck.connect(os.path.join(folder, "duck.db"))
    database.execute("set TimeZone = 'UTC'")
    tables = {"by_time": "time", "by_user": "user_id, time"}
    for table, order in tables.items():
        database.execute(f"create table {table} as select * from '{path}' order by {order}")
    questions = {
        "trend": "select time::date d, count(*) from {table} group by 1 order by 1",
        "trend by event": "select time::date d, event, count(*) from {table} group by 1, 2 order by 1, 2",
        "trend by country": "select time::date d, country, count(*) from {table} group by 1, 2 order by 1, 2",
        "trend of ios": "select time::date d, count(*) from {table} where platform = 'ios' group by 1 order by 1",
        "daily uniques": "select time::date d, count(distinct user_id) from {table} group by 1 order by 1",
        "retention": "with firsts as (select user_id u, date_trunc('week', min(time))::date c from {table} "
        "where event = 'page_view' group by 1) select c, date_trunc('week', time)::date w, count(distinct u) from {table} "
        "join firsts on u = user_id where event = 'page_view' and date_trunc('week', time)::date > c group by 1, 2 order by 1, 2",
    }

    def run(sql):
        return [[value if isinstance(value, (int, str)) else str(value) for value in row] for row in database.execute(sql).fetchall()]

    ask("DuckDB", questions, tables, run)


if __name__ == "__main__":
    path, folder = (os.path.abspath(argument) for argument in sys.argv[1:])
    for system in (clickhouse, duckdb):
        try:
            system(path, folder)
        except ImportError as missing:
            print(f"peers.py: {missing}", file=sys.stderr)
