-- Events that trimming left for a revision that is held, the last of those that need them, by their revisions and ids.
CREATE TABLE held_events (
    workspace {text} NOT NULL,
    held bigint NOT NULL,
    revision bigint NOT NULL,
    event_id {text} NOT NULL,
    PRIMARY KEY (workspace, held, revision, event_id)
);
