-- Products, initiatives and their estimates.

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
    lifecycle text,
    PRIMARY KEY (workspace, id)
);

CREATE TABLE initiatives (
    workspace text NOT NULL,
    id text NOT NULL,
    uid text NOT NULL,
    version bigint NOT NULL,
    display_name text NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body text NOT NULL,
    state text,
    horizon text,
    owner text,
    product text,
    target_start text,
    commit_time bigint,
    ship_time bigint,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX initiatives_state ON initiatives (workspace, state, id);

CREATE TABLE estimates (
    workspace text NOT NULL,
    id text NOT NULL,
    uid text NOT NULL,
    version bigint NOT NULL,
    display_name text NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    delete_time bigint,
    body text NOT NULL,
    initiative text,
    score real,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX estimates_initiative ON estimates (workspace, initiative, id);
