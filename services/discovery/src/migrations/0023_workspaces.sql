-- Workspaces, as their service announces them.
CREATE TABLE roadmap_workspaces (
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
