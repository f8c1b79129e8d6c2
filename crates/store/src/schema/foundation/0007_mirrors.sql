-- How far collections of other services are mirrored. The reader is who heard the source's events for the mirror last, and
-- the types those that it listened to: where others read in between, some were not heard. Each walk through the source has
-- a number; workspace and id are the place that it has reached, the end time is when it came to the end.
CREATE TABLE mirrors (
    source {text} NOT NULL,
    collection {text} NOT NULL,
    reader {text} NOT NULL,
    types {text} NOT NULL,
    walk bigint NOT NULL,
    workspace {text} NOT NULL,
    id {text} NOT NULL,
    rows bigint NOT NULL,
    end_time bigint,
    PRIMARY KEY (source, collection)
);
