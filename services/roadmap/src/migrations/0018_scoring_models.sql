CREATE TABLE scoring_models (
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    uid {text} NOT NULL,
    version bigint NOT NULL,
    display_name {text} NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body {json} NOT NULL,
    PRIMARY KEY (workspace, id)
);
-- What is known of initiatives where models rank them: read off the index, with no look at a row.
ALTER TABLE initiatives ADD COLUMN factors {text};
CREATE INDEX initiatives_factors ON initiatives (workspace, factors, id) WHERE factors IS NOT NULL;
