CREATE TABLE imports (
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
    digest {text},
    imported_by {text},
    PRIMARY KEY (workspace, id)
);
CREATE INDEX imports_state ON imports (workspace, state, id);
CREATE INDEX imports_digest ON imports (workspace, digest, id);
