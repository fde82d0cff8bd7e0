-- The global plane's database. The columns keep to TEXT, BIGINT and BOOLEAN, so
-- that one schema serves every database. Times are microseconds since 1970 UTC;
-- 0 and '' stand for none.

-- +goose Up
-- +goose StatementBegin
CREATE TABLE organizations (
    id               TEXT   NOT NULL PRIMARY KEY,
    name             TEXT   NOT NULL UNIQUE,
    display_name     TEXT   NOT NULL,
    created_at       BIGINT NOT NULL,
    suspended_at     BIGINT NOT NULL DEFAULT 0,
    account_revision BIGINT NOT NULL DEFAULT 0, -- grows when its members or invitations change
    founded_by       TEXT   NOT NULL DEFAULT '' -- the user who made it; '' for the operator
);
CREATE INDEX organizations_by_founder ON organizations (founded_by) WHERE founded_by <> '';

-- Apart from the organization, so that regions that report and members that
-- change never wait for each other.
CREATE TABLE fleets (
    organization_id TEXT   NOT NULL PRIMARY KEY REFERENCES organizations (id),
    revision        BIGINT NOT NULL -- grows when what the organization runs changes
);

CREATE TABLE users (
    id           TEXT   NOT NULL PRIMARY KEY,
    email        TEXT   NOT NULL,
    email_key    TEXT   NOT NULL UNIQUE, -- the form in which addresses are compared
    name         TEXT   NOT NULL,
    kind         TEXT   NOT NULL, -- person or service
    created_at   BIGINT NOT NULL,
    suspended_at BIGINT NOT NULL DEFAULT 0
);

-- The ways to sign in to accounts of persons.
CREATE TABLE identities (
    issuer       TEXT   NOT NULL, -- its URL, or mail
    subject      TEXT   NOT NULL,
    user_id      TEXT   NOT NULL REFERENCES users (id),
    email        TEXT   NOT NULL, -- that the issuer vouches for
    email_key    TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_by_user ON identities (user_id, issuer, subject);

-- What a service account is beside its user and its membership.
CREATE TABLE service_accounts (
    user_id         TEXT   NOT NULL PRIMARY KEY REFERENCES users (id),
    organization_id TEXT   NOT NULL REFERENCES organizations (id),
    name            TEXT   NOT NULL,
    created_by      TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    UNIQUE (organization_id, name)
);
CREATE INDEX service_accounts_by_organization ON service_accounts (organization_id, user_id);

-- An account has two at most, of which each takes a position.
CREATE TABLE service_secrets (
    id           TEXT   NOT NULL PRIMARY KEY,
    user_id      TEXT   NOT NULL REFERENCES service_accounts (user_id),
    position     BIGINT NOT NULL CHECK (position IN (1, 2)),
    hash         TEXT   NOT NULL UNIQUE,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    UNIQUE (user_id, position)
);

CREATE TABLE personal_tokens (
    id              TEXT   NOT NULL PRIMARY KEY, -- its jti
    user_id         TEXT   NOT NULL REFERENCES users (id),
    organization_id TEXT   NOT NULL REFERENCES organizations (id),
    name            TEXT   NOT NULL,
    max_role        TEXT   NOT NULL, -- '' for the owner's
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL
);
CREATE INDEX personal_tokens_by_user ON personal_tokens (user_id, id);
CREATE INDEX personal_tokens_by_end ON personal_tokens (expires_at);

-- Tokens of any kind that are good no more, until they would have ended. Read
-- on every request.
CREATE TABLE revoked_tokens (
    user_id    TEXT   NOT NULL,
    token_id   TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, token_id)
);
CREATE INDEX revoked_tokens_by_end ON revoked_tokens (expires_at);

-- Browsers that are signed in.
CREATE TABLE sessions (
    hash       TEXT   NOT NULL PRIMARY KEY, -- of what the browser's cookie holds
    user_id    TEXT   NOT NULL REFERENCES users (id),
    issuer     TEXT   NOT NULL, -- of the identity that it began with
    subject    TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Sign-ins that are under way, each in one browser.
CREATE TABLE sign_ins (
    hash       TEXT   NOT NULL PRIMARY KEY, -- of what the browser's cookie holds
    provider   TEXT   NOT NULL, -- '' for a code by mail
    email      TEXT   NOT NULL, -- to which the code goes
    state      TEXT   NOT NULL,
    nonce      TEXT   NOT NULL,
    verifier   TEXT   NOT NULL, -- RFC 7636
    return_to  TEXT   NOT NULL, -- a path of ours
    link_to    TEXT   NOT NULL, -- the user to whom the identity is to be added; '' for nobody
    attempts   BIGINT NOT NULL, -- wrong codes
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sign_ins_by_end ON sign_ins (expires_at);

-- Requests for authorization, from the client's redirect to the exchange of the
-- code; an exchanged one stays for as long, so that a second exchange is seen.
CREATE TABLE authorizations (
    id         TEXT   NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL,
    parameters TEXT   NOT NULL, -- JSON
    user_id    TEXT   NOT NULL, -- '' before somebody signed in
    auth_time  BIGINT NOT NULL,
    code_hash  TEXT   NOT NULL, -- '' before there is one
    family     TEXT   NOT NULL, -- of the tokens that it was exchanged for; '' before that
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX authorizations_by_code ON authorizations (code_hash) WHERE code_hash <> '';
CREATE INDEX authorizations_by_user ON authorizations (user_id) WHERE user_id <> '';
CREATE INDEX authorizations_by_end ON authorizations (expires_at);

CREATE TABLE refresh_tokens (
    hash       TEXT   NOT NULL PRIMARY KEY,
    family     TEXT   NOT NULL, -- all that came of one sign-in
    user_id    TEXT   NOT NULL REFERENCES users (id),
    client_id  TEXT   NOT NULL,
    parameters TEXT   NOT NULL, -- JSON
    token_id   TEXT   NOT NULL, -- jti of the access token that came with it
    token_end  BIGINT NOT NULL, -- and when that expires
    auth_time  BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL -- 0 while it may be used
);
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_by_end ON refresh_tokens (expires_at);

CREATE TABLE device_codes (
    hash       TEXT   NOT NULL PRIMARY KEY,
    user_code  TEXT   NOT NULL UNIQUE,
    client_id  TEXT   NOT NULL,
    scopes     TEXT   NOT NULL, -- by spaces
    state      TEXT   NOT NULL, -- pending, approved, denied or exchanged
    user_id    TEXT   NOT NULL, -- who approved it
    auth_time  BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX device_codes_by_user ON device_codes (user_id) WHERE user_id <> '';
CREATE INDEX device_codes_by_end ON device_codes (expires_at);

-- Mails to be sent, written in the transaction of what they tell of. Links and
-- codes are not in here: they are made when they are sent.
CREATE TABLE mails (
    id              TEXT   NOT NULL PRIMARY KEY,
    kind            TEXT   NOT NULL, -- invitation or code
    sender          TEXT   NOT NULL, -- the user who had it sent; '' for nobody who is known
    recipient       TEXT   NOT NULL,
    recipient_key   TEXT   NOT NULL,
    reference       TEXT   NOT NULL, -- the invitation's id, or the sign-in's hash
    generation      BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL, -- after which it is of no use
    attempts        BIGINT NOT NULL,
    due_at          BIGINT NOT NULL, -- when it is tried next; 0 when it is done with
    state           TEXT   NOT NULL, -- pending, sent or failed
    error           TEXT   NOT NULL
);
CREATE INDEX mails_due ON mails (due_at, id) WHERE due_at <> 0;
CREATE INDEX mails_by_recipient ON mails (recipient_key, created_at);
CREATE INDEX mails_by_reference ON mails (reference, generation, id);
CREATE INDEX mails_by_sender ON mails (sender, created_at) WHERE sender <> '';
CREATE INDEX mails_by_end ON mails (expires_at);

-- The addresses to which mail went lately: who counts those to one holds its row.
CREATE TABLE mail_recipients (
    recipient_key TEXT   NOT NULL PRIMARY KEY,
    held_at       BIGINT NOT NULL
);
CREATE INDEX mail_recipients_by_time ON mail_recipients (held_at);

CREATE TABLE members (
    organization_id TEXT   NOT NULL REFERENCES organizations (id),
    user_id         TEXT   NOT NULL REFERENCES users (id),
    role            TEXT   NOT NULL,
    joined_at       BIGINT NOT NULL,
    PRIMARY KEY (organization_id, user_id)
);
-- Read on every request, and so with everything in it.
CREATE INDEX members_by_user ON members (user_id, organization_id, role);

CREATE TABLE invitations (
    id              TEXT   NOT NULL PRIMARY KEY,
    organization_id TEXT   NOT NULL REFERENCES organizations (id),
    email           TEXT   NOT NULL,
    email_key       TEXT   NOT NULL,
    role            TEXT   NOT NULL,
    invited_by      TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    generation      BIGINT NOT NULL, -- grows with every link; only the latest one is good
    UNIQUE (organization_id, email_key)
);
CREATE INDEX invitations_by_organization ON invitations (organization_id, id);
CREATE INDEX invitations_by_email ON invitations (email_key, id);
CREATE INDEX invitations_by_end ON invitations (expires_at);

CREATE TABLE ssh_keys (
    user_id     TEXT   NOT NULL REFERENCES users (id),
    name        TEXT   NOT NULL,
    line        TEXT   NOT NULL,
    fingerprint TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (user_id, name),
    UNIQUE (user_id, fingerprint)
);

CREATE TABLE regions (
    name       TEXT    NOT NULL PRIMARY KEY,
    url        TEXT    NOT NULL,
    created_at BIGINT  NOT NULL,
    closed     BOOLEAN NOT NULL -- to all organizations but the exceptions; else open to all but those
);

CREATE TABLE region_exceptions (
    region          TEXT NOT NULL REFERENCES regions (name),
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    PRIMARY KEY (region, organization_id)
);

CREATE TABLE region_credentials (
    id         TEXT   NOT NULL PRIMARY KEY,
    region     TEXT   NOT NULL REFERENCES regions (name),
    hash       TEXT   NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);
CREATE INDEX region_credentials_by_region ON region_credentials (region, created_at, id);

-- One row per region, made with it; a heartbeat writes this row and no other.
CREATE TABLE links (
    region                TEXT   NOT NULL PRIMARY KEY REFERENCES regions (name),
    incarnation           TEXT   NOT NULL,
    epoch                 BIGINT NOT NULL,
    applied_seq           BIGINT NOT NULL,
    heard_seq             BIGINT NOT NULL,
    audit_last            TEXT   NOT NULL, -- what of its audit came last; '' before the first
    digest_count          BIGINT NOT NULL,
    digest_sum            TEXT   NOT NULL,
    synced_at             BIGINT NOT NULL,
    sources               TEXT   NOT NULL, -- JSON: when each was heard of last
    clock                 BIGINT NOT NULL, -- what its own said at synced_at; shown and never used
    held                  BIGINT NOT NULL, -- how many of its objects are not shown
    missing_since         BIGINT NOT NULL, -- the earliest of its objects'
    snapshot_id           TEXT   NOT NULL, -- '' while none is under way
    snapshot_seq          BIGINT NOT NULL,
    snapshot_begun_at     BIGINT NOT NULL,
    snapshot_had          BIGINT NOT NULL,
    snapshot_next_page    BIGINT NOT NULL,
    snapshot_digest_count BIGINT NOT NULL,
    snapshot_digest_sum   TEXT   NOT NULL
);

-- What regions report. Its organizations and projects need not be known here.
CREATE TABLE objects (
    region          TEXT   NOT NULL REFERENCES regions (name),
    kind            TEXT   NOT NULL,
    id              TEXT   NOT NULL,
    incarnation     TEXT   NOT NULL,
    snapshot_id     TEXT   NOT NULL, -- the snapshot in which it was seen last
    organization_id TEXT   NOT NULL,
    project_id      TEXT   NOT NULL,
    rev             BIGINT NOT NULL,
    body            TEXT   NOT NULL,
    state           TEXT   NOT NULL,
    state_since     BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    held            TEXT   NOT NULL, -- why it is not shown; '' if it is
    missing_since   BIGINT NOT NULL, -- since when a held snapshot lacks it
    PRIMARY KEY (region, kind, id)
);
-- An id is shown in the name of one region only.
CREATE UNIQUE INDEX objects_shown ON objects (kind, id) WHERE held = '';
CREATE INDEX objects_by_organization ON objects (organization_id, kind, id) WHERE held = '';
CREATE INDEX objects_by_project ON objects (organization_id, project_id, kind, id) WHERE held = '';
-- The exceptions: few, and asked for often.
CREATE INDEX objects_held ON objects (region, held, kind, id) WHERE held <> '';
CREATE INDEX objects_missing ON objects (region, missing_since) WHERE missing_since <> 0;

-- What the plane knows of itself: one row, made when the database is.
CREATE TABLE plane (
    id              BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    health_revision BIGINT NOT NULL,
    alive_at        BIGINT NOT NULL,
    nonce_key       TEXT   NOT NULL, -- hexadecimal
    mail_key        TEXT   NOT NULL  -- the same; of links and codes that are sent by mail
);

-- One row, apart from the plane's, so that members who change and regions that
-- report do not wait for each other.
CREATE TABLE grant_stream (
    id       BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    revision BIGINT NOT NULL -- grows when a membership or a user's keys change
);

-- Whose grants changed last, and at which revision of the stream. Only the
-- latest are kept.
CREATE TABLE grant_changes (
    subject         TEXT   NOT NULL, -- '' for all, as in the next
    organization_id TEXT   NOT NULL,
    revision        BIGINT NOT NULL UNIQUE,
    PRIMARY KEY (subject, organization_id)
);

CREATE TABLE outages (
    began_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    PRIMARY KEY (began_at, ended_at)
);

CREATE TABLE issuers (
    url      TEXT   NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL UNIQUE -- the highest is the current one
);

CREATE TABLE signing_keys (
    id         TEXT   NOT NULL PRIMARY KEY,
    pem        TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE outcomes (
    caller     TEXT   NOT NULL,
    key        TEXT   NOT NULL,
    request    TEXT   NOT NULL,
    result     TEXT   NOT NULL,
    refusal    TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (caller, key)
);
CREATE INDEX outcomes_by_age ON outcomes (created_at);

-- When what a plane does by itself is to be done next.
CREATE TABLE jobs (
    name   TEXT   NOT NULL PRIMARY KEY,
    due_at BIGINT NOT NULL
);

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
    region          TEXT   NOT NULL, -- that reported it; '' for the plane's own
    reported_id     TEXT   NOT NULL, -- and what it has there as id
    reported_at     BIGINT NOT NULL  -- and as time; id and at are the plane's
);
CREATE UNIQUE INDEX audit_entries_reported ON audit_entries (region, reported_id) WHERE region <> '';
CREATE INDEX audit_entries_by_organization ON audit_entries (organization_id, id);
CREATE INDEX audit_entries_by_age ON audit_entries (at);
-- +goose StatementEnd
