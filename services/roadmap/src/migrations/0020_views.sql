-- When initiatives are planned to start, and those of an owner with what lanes of owners leave out.
ALTER TABLE initiatives ADD COLUMN starts {text};
CREATE INDEX initiatives_owner ON initiatives (workspace, owner, id, delete_time, product, state);
CREATE INDEX initiatives_starts ON initiatives (workspace, starts, id, product);

CREATE TABLE snapshots (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    uid {text} NOT NULL,
    version bigint NOT NULL,
    display_name {text} NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body {json} NOT NULL,
    revision bigint,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX snapshots_revision ON snapshots (workspace, revision, id);
