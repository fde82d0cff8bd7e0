-- A region's database. The columns keep to TEXT, BIGINT and BOOLEAN, so that one
-- schema serves every database.

-- +goose Up

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
    grant_revision BIGINT NOT NULL  -- up to which changes of grants are applied
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
