-- A task has a number, by which it is found at every step: the writer knows those of open tasks, and what is new comes at the end
-- of the table. Ids are looked for in an index, which has their hosts, too.
CREATE TABLE numbered (
    key        INTEGER PRIMARY KEY, -- task_bodies.key: in the order in which tasks were submitted
    id         TEXT NOT NULL,
    host       TEXT NOT NULL,
    stack      TEXT,
    deployment TEXT,
    container  TEXT,
    status     TEXT NOT NULL,
    open       INTEGER NOT NULL, -- whether it has not ended
    state      TEXT NOT NULL     -- JSON: what moves
) STRICT;

INSERT INTO numbered
SELECT body, id, host, stack, deployment, container, status, open, state FROM tasks ORDER BY body;

DROP TABLE tasks;
ALTER TABLE numbered RENAME TO tasks;

-- In the order in which tasks come, so that those of a transaction lie side by side: by host they would be a page each.
CREATE UNIQUE INDEX tasks_in_order ON tasks (id, host);

CREATE INDEX tasks_by_deployment ON tasks (deployment) WHERE deployment IS NOT NULL;
CREATE INDEX tasks_by_stack ON tasks (stack, id) WHERE stack IS NOT NULL;
CREATE INDEX tasks_by_container ON tasks (container, id) WHERE container IS NOT NULL;

-- Almost every task is completed in the end, and on its way there it enters and leaves one index: `open` changes when it ends.
CREATE INDEX tasks_open ON tasks (open, host, stack) WHERE open = 1;
CREATE INDEX tasks_failed ON tasks (status, host, id) WHERE open = 0 AND status <> 'completed';
