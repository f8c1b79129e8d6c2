-- Roles and databases for the three services, on a server that is theirs or shared: run once, by a superuser, as
--   psql -f postgres.sql
-- and give each role a password then, or let it sign in by certificate. A service uses three roles of its own:
--   waymark_SERVICE_owner   owns the tables and migrates them: WAYMARK_OWNER_DATABASE_URL
--   waymark_SERVICE         answers calls, and reaches the rows of the workspace that a statement names: WAYMARK_DATABASE_URL
--   waymark_SERVICE_keeper  relays, reacts to events and keeps house, and reaches all: WAYMARK_KEEPER_DATABASE_URL
-- What each may do with which table the service grants when it migrates; nobody else needs a right.

CREATE ROLE waymark_discovery_owner LOGIN;
CREATE ROLE waymark_discovery LOGIN;
CREATE ROLE waymark_discovery_keeper LOGIN;
CREATE DATABASE discovery OWNER waymark_discovery_owner;
REVOKE ALL ON DATABASE discovery FROM PUBLIC;
GRANT CONNECT ON DATABASE discovery TO waymark_discovery, waymark_discovery_keeper;

CREATE ROLE waymark_roadmap_owner LOGIN;
CREATE ROLE waymark_roadmap LOGIN;
CREATE ROLE waymark_roadmap_keeper LOGIN;
CREATE DATABASE roadmap OWNER waymark_roadmap_owner;
REVOKE ALL ON DATABASE roadmap FROM PUBLIC;
GRANT CONNECT ON DATABASE roadmap TO waymark_roadmap, waymark_roadmap_keeper;

CREATE ROLE waymark_metrics_owner LOGIN;
CREATE ROLE waymark_metrics LOGIN;
CREATE ROLE waymark_metrics_keeper LOGIN;
CREATE DATABASE metrics OWNER waymark_metrics_owner;
REVOKE ALL ON DATABASE metrics FROM PUBLIC;
GRANT CONNECT ON DATABASE metrics TO waymark_metrics, waymark_metrics_keeper;
