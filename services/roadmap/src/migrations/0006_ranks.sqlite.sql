-- The order that estimates make is kept with the initiatives.
ALTER TABLE initiatives ADD COLUMN score real;
ALTER TABLE initiatives ADD COLUMN rank text;
CREATE INDEX initiatives_rank ON initiatives (workspace, rank, id);
