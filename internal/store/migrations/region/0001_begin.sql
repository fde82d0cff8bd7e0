-- A region's database. The columns keep to TEXT, BIGINT and BOOLEAN, so that one
-- schema serves every database.

-- +goose Up
-- +goose StatementBegin

-- The identity of the stream of changes: one row, made when the database is.
CREATE TABLE identity (
    id           BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    incarnation  TEXT   NOT NULL,
    seq          BIGINT NOT NULL,
    floor        BIGINT NOT NULL,
    digest_count BIGINT NOT NULL,
    digest_sum   TEXT   NOT NULL
);

-- A change has a seq of its own, so no two objects share a rev.
CREATE TABLE objects (
    kind TEXT   NOT NULL,
    id   TEXT   NOT NULL,
    rev  BIGINT NOT NULL UNIQUE,
    body TEXT   NOT NULL,
    PRIMARY KEY (kind, id)
);

CREATE TABLE tombstones (
    kind      TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    rev       BIGINT NOT NULL UNIQUE,
    buried_at BIGINT NOT NULL, -- microseconds since 1970 UTC
    PRIMARY KEY (kind, id)
);

-- What the daemon remembers beside the stream: one row, made when the database
-- is.
CREATE TABLE daemon (
    id             BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    holder         TEXT   NOT NULL, -- the process that began last; '' before the first
    fenced_at      BIGINT NOT NULL, -- when that one was fenced, in microseconds since 1970 UTC; 0 for never
    grant_revision BIGINT NOT NULL, -- up to which changes of grants are applied
    audit_seq      BIGINT NOT NULL, -- of the last audit entry
    audit_reported BIGINT NOT NULL  -- up to which the plane has them
);

-- The keys that the plane was last seen to publish: no row before the first.
CREATE TABLE plane_keys (
    id       BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    document TEXT   NOT NULL
);

-- What the plane answered last about who may do what, for while it is away.
CREATE TABLE grants (
    subject         TEXT   NOT NULL,
    organization_id TEXT   NOT NULL, -- '' for where the subject belongs
    role            TEXT   NOT NULL,
    ssh_keys        TEXT   NOT NULL, -- JSON, as the next two
    revoked_tokens  TEXT   NOT NULL,
    organizations   TEXT   NOT NULL,
    asked_at        BIGINT NOT NULL, -- microseconds since 1970 UTC
    PRIMARY KEY (subject, organization_id)
);
CREATE INDEX grants_by_age ON grants (asked_at);

-- What the region owns. Times are microseconds since 1970 UTC, amounts of memory
-- and storage bytes.

CREATE TABLE projects (
    id              TEXT   NOT NULL PRIMARY KEY,
    organization_id TEXT   NOT NULL,
    name            TEXT   NOT NULL,
    state           TEXT   NOT NULL,
    tags            TEXT   NOT NULL, -- JSON
    created_at      BIGINT NOT NULL
);
CREATE INDEX projects_by_organization ON projects (organization_id, id);

CREATE TABLE machines (
    id              TEXT    NOT NULL PRIMARY KEY,
    organization_id TEXT    NOT NULL,
    project_id      TEXT    NOT NULL REFERENCES projects (id),
    host            TEXT    NOT NULL, -- '' before it was placed for the first time
    placed          BOOLEAN NOT NULL,
    ip              TEXT    NOT NULL, -- '' for none
    yielding        BOOLEAN NOT NULL, -- placed, and preemptible or not wanted to run
    created_at      BIGINT  NOT NULL,
    body            TEXT    NOT NULL  -- JSON: the rest
);
CREATE INDEX machines_by_project ON machines (project_id, id);
CREATE UNIQUE INDEX machines_by_ip ON machines (ip) WHERE ip > '';
CREATE INDEX machines_yielding ON machines (yielding, created_at, id);

CREATE TABLE filesystems (
    id         TEXT   NOT NULL PRIMARY KEY,
    project_id TEXT   NOT NULL REFERENCES projects (id),
    name       TEXT   NOT NULL,
    size       BIGINT NOT NULL,
    state      TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX filesystems_by_project ON filesystems (project_id, id);

-- More may be taken of a host than it has: when it has shrunk.
CREATE TABLE hosts (
    name        TEXT    NOT NULL PRIMARY KEY,
    cpu         BIGINT  NOT NULL,
    memory      BIGINT  NOT NULL,
    cpu_used    BIGINT  NOT NULL CHECK (cpu_used >= 0),
    memory_used BIGINT  NOT NULL CHECK (memory_used >= 0),
    offered     BOOLEAN NOT NULL -- false for one that goes when nothing of it is taken
);

CREATE TABLE gpus (
    host       TEXT    NOT NULL REFERENCES hosts (name),
    address    TEXT    NOT NULL,
    model      TEXT    NOT NULL,
    offered    BOOLEAN NOT NULL, -- as a host's
    machine_id TEXT    NOT NULL, -- '' for nobody's
    PRIMARY KEY (host, address)
);

-- How many instances of a type each organization has.
CREATE TABLE instance_counts (
    organization_id TEXT   NOT NULL,
    type            TEXT   NOT NULL,
    n               BIGINT NOT NULL CHECK (n >= 0),
    PRIMARY KEY (organization_id, type)
);

-- Usage, which outlives its machine.
CREATE TABLE spans (
    id              TEXT    NOT NULL PRIMARY KEY,
    machine_id      TEXT    NOT NULL,
    organization_id TEXT    NOT NULL,
    project_id      TEXT    NOT NULL,
    type            TEXT    NOT NULL,
    started         BOOLEAN NOT NULL,
    begun_at        BIGINT  NOT NULL,
    ended_at        BIGINT  NOT NULL -- 0 while it lasts
);
CREATE INDEX spans_by_machine ON spans (machine_id, begun_at, id);

-- Who changed what.
CREATE TABLE audit_entries (
    id              TEXT   NOT NULL PRIMARY KEY,
    at              BIGINT NOT NULL,
    organization_id TEXT   NOT NULL,
    actor_kind      TEXT   NOT NULL,
    actor_id        TEXT   NOT NULL,
    action          TEXT   NOT NULL,
    target          TEXT   NOT NULL,
    before          TEXT   NOT NULL,
    after           TEXT   NOT NULL,
    request_id      TEXT   NOT NULL,
    address         TEXT   NOT NULL,
    seq             BIGINT NOT NULL UNIQUE -- in the order of commits, as ids are not
);
CREATE INDEX audit_entries_by_age ON audit_entries (at);
CREATE INDEX audit_entries_by_organization ON audit_entries (organization_id, id);
-- +goose StatementEnd
