-- The tables every service has: revisions, the log, remembered requests, and what relay and consumers keep. Times are
-- microseconds since 1970. Collation C sorts by bytes, as SQLite does.

-- The revision of a workspace. Its row is the lock that puts the workspace's writes in order.
CREATE TABLE workspaces (
    id text COLLATE "C" PRIMARY KEY,
    revision bigint NOT NULL,
    earliest_revision bigint NOT NULL DEFAULT 0,
    last_time bigint NOT NULL DEFAULT 0
);

CREATE TABLE log (
    workspace text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    ordinal integer NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    collection text COLLATE "C" NOT NULL,
    resource_id text COLLATE "C" NOT NULL,
    time bigint NOT NULL,
    actor text COLLATE "C" NOT NULL,
    request_id text COLLATE "C",
    causation_id text COLLATE "C",
    traceparent text COLLATE "C",
    data json NOT NULL,
    PRIMARY KEY (workspace, revision, ordinal)
);
CREATE INDEX log_resource ON log (workspace, collection, resource_id, revision, ordinal);
CREATE INDEX log_time ON log (workspace, time);
CREATE UNIQUE INDEX log_event ON log (workspace, event_id);

-- What a request id was answered: 32 bytes digest of the request, then the answer.
CREATE TABLE requests (
    workspace text COLLATE "C" NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    time bigint NOT NULL,
    answer bytea NOT NULL,
    PRIMARY KEY (workspace, request_id)
);
CREATE INDEX requests_time ON requests (time);

-- How far the relay has published.
CREATE TABLE relay_cursors (
    workspace text COLLATE "C" PRIMARY KEY,
    revision bigint NOT NULL
);

-- Who may relay until when.
CREATE TABLE leases (
    name text COLLATE "C" PRIMARY KEY,
    holder text COLLATE "C" NOT NULL,
    expire_time bigint NOT NULL
);

-- Events of other services that were handled.
CREATE TABLE inbox (
    consumer text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    time bigint NOT NULL,
    PRIMARY KEY (consumer, event_id)
);

-- How far the in-process bus has read another service's log.
CREATE TABLE bus_cursors (
    source text COLLATE "C" NOT NULL,
    workspace text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (source, workspace)
);

-- Events of other services that could not be handled.
CREATE TABLE dead_letters (
    workspace text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    event json NOT NULL,
    error text COLLATE "C" NOT NULL,
    attempts integer NOT NULL,
    time bigint NOT NULL,
    PRIMARY KEY (workspace, event_id)
);
