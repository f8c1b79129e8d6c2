CREATE TABLE products (workspace text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, uid text COLLATE "C" NOT NULL, version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint,
    body json NOT NULL, lifecycle text COLLATE "C", PRIMARY KEY (workspace, id));
CREATE TABLE initiatives (workspace text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, uid text COLLATE "C" NOT NULL, version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint,
    body json NOT NULL, state text COLLATE "C", horizon text COLLATE "C", owner text COLLATE "C", product text COLLATE "C", target_start text COLLATE "C", commit_time bigint, ship_time bigint, PRIMARY KEY (workspace, id));
CREATE INDEX initiatives_state ON initiatives (workspace, state, id);
CREATE TABLE estimates (workspace text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, uid text COLLATE "C" NOT NULL, version bigint NOT NULL,
    display_name text COLLATE "C" NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint,
    body json NOT NULL, initiative text COLLATE "C", score double precision, PRIMARY KEY (workspace, id));
CREATE INDEX estimates_initiative ON estimates (workspace, initiative, id);
