-- How the relay knows the stream that it publishes to, and from where to publish again when that has lost messages.

-- Everything up to the cursor was published when the stream's last message was at `sequence`. `reached` is the newest
-- revision that was ever published; one behind the cursor, or none, was left by a program that does not keep these, and
-- `sequence` says nothing. `rewound` is set where a cursor was moved back, until the relay goes on from there.
ALTER TABLE relay_cursors
    ADD COLUMN sequence bigint,
    ADD COLUMN reached bigint,
    ADD COLUMN rewound boolean NOT NULL DEFAULT false;
CREATE INDEX relay_cursors_rewound ON relay_cursors (workspace) WHERE rewound;

-- The stream, as it was last seen. Every mark and every rewind moves the version, so that one which was begun before
-- another finds out. While `rewinding`, cursors may be ahead of the stream, and nothing is published.
CREATE TABLE relay_stream (
    name text COLLATE "C" PRIMARY KEY,
    create_time bigint NOT NULL,
    version bigint NOT NULL,
    rewinding boolean NOT NULL
);

-- Messages that the stream has taken, the newest and some before it. From the one at `sequence` up to `resumed` the
-- stream may hold what was published again behind it.
CREATE TABLE relay_checkpoints (
    sequence bigint PRIMARY KEY,
    message_id text COLLATE "C" NOT NULL,
    resumed bigint NOT NULL
);
