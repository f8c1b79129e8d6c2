CREATE TABLE workspace_resources (
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
    PRIMARY KEY (workspace, id)
);
