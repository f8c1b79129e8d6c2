CREATE TABLE workspaces (id text COLLATE "C" PRIMARY KEY, revision bigint NOT NULL, earliest_revision bigint NOT NULL DEFAULT 0,
    last_time bigint NOT NULL DEFAULT 0);
CREATE TABLE log (workspace text COLLATE "C" NOT NULL, revision bigint NOT NULL, ordinal integer NOT NULL, event_id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL, collection text COLLATE "C" NOT NULL, resource_id text COLLATE "C" NOT NULL, time bigint NOT NULL, actor text COLLATE "C" NOT NULL,
    request_id text COLLATE "C", causation_id text COLLATE "C", traceparent text COLLATE "C", data json NOT NULL,
    PRIMARY KEY (workspace, revision, ordinal));
CREATE INDEX log_resource ON log (workspace, collection, resource_id, revision, ordinal);
CREATE INDEX log_time ON log (workspace, time);
CREATE UNIQUE INDEX log_event ON log (workspace, event_id);
CREATE TABLE requests (workspace text COLLATE "C" NOT NULL, request_id text COLLATE "C" NOT NULL, revision bigint NOT NULL, time bigint NOT NULL,
    answer bytea NOT NULL, PRIMARY KEY (workspace, request_id));
CREATE INDEX requests_time ON requests (time);
CREATE TABLE relay_cursors (workspace text COLLATE "C" PRIMARY KEY, revision bigint NOT NULL);
CREATE TABLE leases (name text COLLATE "C" PRIMARY KEY, holder text COLLATE "C" NOT NULL, expire_time bigint NOT NULL);
CREATE TABLE inbox (consumer text COLLATE "C" NOT NULL, event_id text COLLATE "C" NOT NULL, time bigint NOT NULL, PRIMARY KEY (consumer, event_id));
CREATE TABLE bus_cursors (source text COLLATE "C" NOT NULL, workspace text COLLATE "C" NOT NULL, revision bigint NOT NULL,
    PRIMARY KEY (source, workspace));
CREATE TABLE dead_letters (workspace text COLLATE "C" NOT NULL, event_id text COLLATE "C" NOT NULL, source text COLLATE "C" NOT NULL, event json NOT NULL,
    error text COLLATE "C" NOT NULL, attempts integer NOT NULL, time bigint NOT NULL, PRIMARY KEY (workspace, event_id));
