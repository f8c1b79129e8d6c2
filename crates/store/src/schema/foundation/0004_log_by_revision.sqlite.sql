-- Ids of events and times grow with the revisions of a workspace, so both are found by these.
DROP INDEX log_time;
DROP INDEX log_event;
