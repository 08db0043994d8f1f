-- A task in two rows: what moves is small and written at every step; what was submitted is written once.
CREATE TABLE tasks (
    id         TEXT PRIMARY KEY,
    host       TEXT NOT NULL,
    stack      TEXT,
    deployment TEXT,
    container  TEXT,
    status     TEXT NOT NULL,
    open       INTEGER NOT NULL, -- whether it has not ended
    body       INTEGER NOT NULL, -- task_bodies.key
    state      TEXT NOT NULL     -- JSON: what moves
) STRICT, WITHOUT ROWID;

CREATE INDEX tasks_by_deployment ON tasks (deployment) WHERE deployment IS NOT NULL;
CREATE INDEX tasks_by_stack ON tasks (stack) WHERE stack IS NOT NULL;
CREATE INDEX tasks_by_container ON tasks (container) WHERE container IS NOT NULL;

-- In the order in which tasks come, so that those of a transaction lie side by side: by host they would be a page each.
CREATE INDEX tasks_in_order ON tasks (id, host);

-- Almost every task is completed in the end, and on its way there it enters and leaves one index: `open` changes when it ends.
CREATE INDEX tasks_open ON tasks (open, host) WHERE open = 1;
CREATE INDEX tasks_failed ON tasks (status, host) WHERE open = 0 AND status <> 'completed';

CREATE TABLE task_bodies (
    key  INTEGER PRIMARY KEY,
    body TEXT NOT NULL -- JSON: the task as it was submitted
) STRICT;

CREATE TABLE records (
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    version INTEGER NOT NULL,
    stack   TEXT,
    host    TEXT,
    body    TEXT NOT NULL,
    UNIQUE (kind, id)
) STRICT;

CREATE INDEX records_by_stack ON records (kind, stack, id) WHERE stack IS NOT NULL;
CREATE INDEX records_by_host ON records (kind, host, id) WHERE host IS NOT NULL;

-- What one transaction tells, in few rows: events come and go in great numbers, always in order.
CREATE TABLE events (
    first INTEGER PRIMARY KEY, -- number of the first of them
    last  INTEGER NOT NULL,
    lines TEXT NOT NULL -- a JSON array a line: what changed, nanoseconds since 1970, the thing
) STRICT;

CREATE TABLE sessions (
    host  TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    nonce TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Idempotency keys, and what they led to.
CREATE TABLE submissions (
    key  TEXT PRIMARY KEY,
    at   INTEGER NOT NULL, -- nanoseconds since 1970
    keys TEXT NOT NULL -- JSON: the records
) STRICT, WITHOUT ROWID;

CREATE INDEX submissions_by_age ON submissions (at);
