-- Until when metrics were measured. Not set, as in rows of before: not yet.
ALTER TABLE metrics ADD COLUMN latest_time bigint;
