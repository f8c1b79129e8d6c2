-- What the service decided about calls, and what was done to what it decides by. The id sorts by time; policies are a list in
-- JSON, latency is in microseconds.
CREATE TABLE audit_entries (
    workspace {text} NOT NULL,
    time bigint NOT NULL,
    id {text} NOT NULL,
    principal {text} NOT NULL,
    issuer {text} NOT NULL,
    token_id {text} NOT NULL,
    peer {text} NOT NULL,
    user_agent {text} NOT NULL,
    action {text} NOT NULL,
    decision {text} NOT NULL,
    policies {text} NOT NULL,
    reason {text} NOT NULL,
    request_id {text} NOT NULL,
    trace_id {text} NOT NULL,
    latency bigint,
    count bigint NOT NULL,
    PRIMARY KEY (workspace, time, id)
);
CREATE INDEX audit_entries_time ON audit_entries (time);

-- Entries before this time may go. It only rises.
CREATE TABLE audit_floor (
    single bigint PRIMARY KEY CHECK (single = 1),
    time bigint NOT NULL
);
INSERT INTO audit_floor (single, time) VALUES (1, 0);

-- SQLite has no rights to take away.
CREATE TRIGGER audit_entries_stay BEFORE UPDATE ON audit_entries BEGIN
    SELECT RAISE(ABORT, 'entries of the audit do not change');
END;
CREATE TRIGGER audit_entries_old BEFORE DELETE ON audit_entries WHEN OLD.time >= (SELECT time FROM audit_floor) BEGIN
    SELECT RAISE(ABORT, 'entries of the audit go only when they are older than its floor');
END;
-- A row that is replaced would pass by the triggers above.
CREATE TRIGGER audit_entries_once BEFORE INSERT ON audit_entries
WHEN EXISTS (SELECT 1 FROM audit_entries WHERE workspace = NEW.workspace AND time = NEW.time AND id = NEW.id) BEGIN
    SELECT RAISE(IGNORE);
END;
CREATE TRIGGER audit_floor_rises BEFORE UPDATE ON audit_floor WHEN NEW.time < OLD.time OR NEW.single <> 1 BEGIN
    SELECT RAISE(ABORT, 'the floor of the audit only rises');
END;
CREATE TRIGGER audit_floor_stays BEFORE DELETE ON audit_floor BEGIN
    SELECT RAISE(ABORT, 'the floor of the audit stays');
END;
CREATE TRIGGER audit_floor_once BEFORE INSERT ON audit_floor BEGIN
    SELECT RAISE(ABORT, 'the floor of the audit only rises');
END;
