-- When initiatives are planned to start, and those of an owner with what lanes of owners leave out.
ALTER TABLE initiatives ADD COLUMN starts {text};
CREATE INDEX initiatives_owner ON initiatives (workspace, owner, id, delete_time, product, state);
CREATE INDEX initiatives_starts ON initiatives (workspace, starts, id, product);
