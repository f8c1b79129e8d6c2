-- Metrics, as their service announces them.
CREATE TABLE metrics_metrics (
    workspace text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    uid text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body json NOT NULL,
    stage text COLLATE "C",
    PRIMARY KEY (workspace, id)
);
