CREATE TABLE decisions (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    uid {text} NOT NULL,
    version bigint NOT NULL,
    display_name {text} NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body {json} NOT NULL,
    state {text},
    owner {text},
    review_date {text},
    due {text},
    not_built_since {text},
    PRIMARY KEY (workspace, id)
);
CREATE INDEX decisions_due ON decisions (workspace, due, id);
CREATE INDEX decisions_not_built_since ON decisions (workspace, not_built_since, id);
