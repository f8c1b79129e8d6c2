CREATE TABLE products (
    workspace text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    uid text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body json NOT NULL,
    vision text COLLATE "C",
    length bigint,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX products_vision ON products (workspace, vision, id);
