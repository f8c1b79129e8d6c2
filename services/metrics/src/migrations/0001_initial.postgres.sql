-- Metrics, predictions, outcomes and frictions.

CREATE TABLE metrics (
    workspace text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    uid text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body json NOT NULL,
    kind text COLLATE "C",
    direction text COLLATE "C",
    stage text COLLATE "C",
    alerted boolean,
    breached boolean,
    PRIMARY KEY (workspace, id)
);

CREATE TABLE predictions (
    workspace text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    uid text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body json NOT NULL,
    state text COLLATE "C",
    metric text COLLATE "C",
    initiative text COLLATE "C",
    due_time bigint,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX predictions_state ON predictions (workspace, state, id);

CREATE TABLE outcomes (
    workspace text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    uid text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body json NOT NULL,
    verdict text COLLATE "C",
    metric text COLLATE "C",
    initiative text COLLATE "C",
    PRIMARY KEY (workspace, id)
);

CREATE TABLE frictions (
    workspace text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    uid text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body json NOT NULL,
    entry text COLLATE "C",
    goal text COLLATE "C",
    window_days bigint,
    lost bigint,
    lost_share double precision,
    PRIMARY KEY (workspace, id)
);
