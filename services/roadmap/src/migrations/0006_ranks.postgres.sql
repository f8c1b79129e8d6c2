-- The order that estimates make is kept with the initiatives.
ALTER TABLE initiatives ADD COLUMN score double precision;
ALTER TABLE initiatives ADD COLUMN rank text COLLATE "C";
CREATE INDEX initiatives_rank ON initiatives (workspace, rank, id);
