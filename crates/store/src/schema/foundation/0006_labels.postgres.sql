-- Labels of resources, by which lists find them: a row for each, of deleted resources, too.
CREATE TABLE labels (
    workspace text COLLATE "C" NOT NULL,
    collection text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace, collection, key, value, id)
);
