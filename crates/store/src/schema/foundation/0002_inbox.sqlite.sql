-- Where the event stood that a note is of, by which notes are folded. Notes of before say nothing of it.
ALTER TABLE inbox ADD COLUMN source text;
ALTER TABLE inbox ADD COLUMN workspace text;
ALTER TABLE inbox ADD COLUMN type text;
ALTER TABLE inbox ADD COLUMN revision bigint;
CREATE INDEX inbox_time ON inbox (time) WHERE revision IS NOT NULL;

-- Notes that were folded: the events of a type, of one workspace of one source, that count as handled. Those between
-- the two revisions do; of the two revisions themselves only the events named.
CREATE TABLE inbox_floors (
    consumer text NOT NULL,
    source text NOT NULL,
    workspace text NOT NULL,
    type text NOT NULL,
    first_revision bigint NOT NULL,
    first_events text NOT NULL,
    last_revision bigint NOT NULL,
    last_events text NOT NULL,
    PRIMARY KEY (consumer, source, workspace, type)
);

-- Whether an event was handled for all that, as when it came again and could no longer be read.
ALTER TABLE dead_letters ADD COLUMN handled boolean NOT NULL DEFAULT false;
