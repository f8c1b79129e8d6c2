-- How many live resources have a value of a column, such as initiatives.rank, that begins alike.
CREATE TABLE tallies (
    workspace text COLLATE "C" NOT NULL,
    tally text COLLATE "C" NOT NULL,
    head text COLLATE "C" NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (workspace, tally, head)
);
