CREATE TABLE objectives (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    uid {text} NOT NULL,
    version bigint NOT NULL,
    display_name {text} NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body {json} NOT NULL,
    owner {text},
    period_start {text},
    parent_objective {text},
    PRIMARY KEY (workspace, id)
);
CREATE INDEX objectives_period_start ON objectives (workspace, period_start, id);
