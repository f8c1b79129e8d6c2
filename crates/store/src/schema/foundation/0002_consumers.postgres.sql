-- How far the stream of another service was read: all up to the sequence is settled, except in parked workspaces. The
-- time is the one at which the stream stored the message there, so that it is known again; the holder is the process
-- that reads.
CREATE TABLE stream_positions (
    consumer text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    holder text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    time bigint NOT NULL,
    PRIMARY KEY (consumer, source)
);

-- Workspaces that are read apart from the others, from this sequence on.
CREATE TABLE parked_workspaces (
    consumer text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    workspace text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (consumer, source, workspace)
);
