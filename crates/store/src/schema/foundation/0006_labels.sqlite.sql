-- Labels of resources, by which lists find them: a row for each, of deleted resources, too.
CREATE TABLE labels (
    workspace text NOT NULL,
    collection text NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    id text NOT NULL,
    PRIMARY KEY (workspace, collection, key, value, id)
) WITHOUT ROWID;
