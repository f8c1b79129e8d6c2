CREATE TABLE workspaces (id text PRIMARY KEY, revision bigint NOT NULL, earliest_revision bigint NOT NULL DEFAULT 0,
    last_time bigint NOT NULL DEFAULT 0);
CREATE TABLE log (workspace text NOT NULL, revision bigint NOT NULL, ordinal integer NOT NULL, event_id text NOT NULL,
    type text NOT NULL, collection text NOT NULL, resource_id text NOT NULL, time bigint NOT NULL, actor text NOT NULL,
    request_id text, causation_id text, traceparent text, data text NOT NULL,
    PRIMARY KEY (workspace, revision, ordinal));
CREATE INDEX log_resource ON log (workspace, collection, resource_id, revision, ordinal);
CREATE INDEX log_time ON log (workspace, time);
CREATE UNIQUE INDEX log_event ON log (workspace, event_id);
CREATE TABLE requests (workspace text NOT NULL, request_id text NOT NULL, revision bigint NOT NULL, time bigint NOT NULL,
    answer blob NOT NULL, PRIMARY KEY (workspace, request_id));
CREATE INDEX requests_time ON requests (time);
CREATE TABLE relay_cursors (workspace text PRIMARY KEY, revision bigint NOT NULL);
CREATE TABLE leases (name text PRIMARY KEY, holder text NOT NULL, expire_time bigint NOT NULL);
CREATE TABLE inbox (consumer text NOT NULL, event_id text NOT NULL, time bigint NOT NULL, PRIMARY KEY (consumer, event_id));
CREATE TABLE bus_cursors (source text NOT NULL, workspace text NOT NULL, revision bigint NOT NULL,
    PRIMARY KEY (source, workspace));
CREATE TABLE dead_letters (workspace text NOT NULL, event_id text NOT NULL, source text NOT NULL, event text NOT NULL,
    error text NOT NULL, attempts integer NOT NULL, time bigint NOT NULL, PRIMARY KEY (workspace, event_id));
