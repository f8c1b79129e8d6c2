CREATE TABLE products (
    workspace text NOT NULL,
    id text NOT NULL,
    uid text NOT NULL,
    version bigint NOT NULL,
    display_name text NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body text NOT NULL,
    vision text,
    length bigint,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX products_vision ON products (workspace, vision, id);
