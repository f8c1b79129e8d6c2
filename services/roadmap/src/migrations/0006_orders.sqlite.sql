-- The order that estimates make is kept with the initiatives.
ALTER TABLE initiatives ADD COLUMN score real;
ALTER TABLE initiatives ADD COLUMN rank text;
CREATE INDEX initiatives_rank ON initiatives (workspace, rank, id);
-- Where initiatives stand on the roadmap, by lane and first day. The product is there to pass over those of others.
ALTER TABLE initiatives ADD COLUMN place text;
CREATE INDEX initiatives_place ON initiatives (workspace, place, id, product);
