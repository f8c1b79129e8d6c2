-- Where the event stood that a note is of, by which notes are folded. Notes of before say nothing of it.
ALTER TABLE inbox ADD COLUMN source text COLLATE "C";
ALTER TABLE inbox ADD COLUMN workspace text COLLATE "C";
ALTER TABLE inbox ADD COLUMN type text COLLATE "C";
ALTER TABLE inbox ADD COLUMN revision bigint;
CREATE INDEX inbox_time ON inbox (time) WHERE revision IS NOT NULL;

-- Notes that were folded: the events of a type, of one workspace of one source, that count as handled. Those between
-- the two revisions do; of the two revisions themselves only the events named.
CREATE TABLE inbox_floors (
    consumer text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    workspace text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    first_revision bigint NOT NULL,
    first_events text COLLATE "C" NOT NULL,
    last_revision bigint NOT NULL,
    last_events text COLLATE "C" NOT NULL,
    PRIMARY KEY (consumer, source, workspace, type)
);

-- Whether an event was handled for all that, as when it came again and could no longer be read.
ALTER TABLE dead_letters ADD COLUMN handled boolean NOT NULL DEFAULT false;
