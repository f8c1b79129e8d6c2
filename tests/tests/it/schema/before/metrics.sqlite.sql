CREATE TABLE metrics (workspace text NOT NULL, id text NOT NULL, uid text NOT NULL, version bigint NOT NULL,
    display_name text NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint,
    body text NOT NULL, kind text, direction text, stage text, alerted boolean, breached boolean, PRIMARY KEY (workspace, id));
CREATE TABLE predictions (workspace text NOT NULL, id text NOT NULL, uid text NOT NULL, version bigint NOT NULL,
    display_name text NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint,
    body text NOT NULL, state text, metric text, initiative text, due_time bigint, PRIMARY KEY (workspace, id));
CREATE INDEX predictions_state ON predictions (workspace, state, id);
CREATE TABLE outcomes (workspace text NOT NULL, id text NOT NULL, uid text NOT NULL, version bigint NOT NULL,
    display_name text NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint,
    body text NOT NULL, verdict text, metric text, initiative text, PRIMARY KEY (workspace, id));
CREATE TABLE frictions (workspace text NOT NULL, id text NOT NULL, uid text NOT NULL, version bigint NOT NULL,
    display_name text NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint,
    body text NOT NULL, entry text, goal text, window_days bigint, lost bigint, lost_share real, PRIMARY KEY (workspace, id));
