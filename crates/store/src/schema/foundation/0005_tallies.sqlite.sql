-- How many live resources have a value of a column, such as initiatives.rank, that begins alike.
CREATE TABLE tallies (
    workspace text NOT NULL,
    tally text NOT NULL,
    head text NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (workspace, tally, head)
) WITHOUT ROWID;
