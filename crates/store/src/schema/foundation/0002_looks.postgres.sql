-- Which transaction wrote a row, by which a look at the log finds what was committed since the one before. Rows that
-- were there before have none; nobody looks for them.
ALTER TABLE log ADD COLUMN written xid8;
ALTER TABLE log ALTER COLUMN written SET DEFAULT pg_current_xact_id();
CREATE INDEX log_written ON log (written);
