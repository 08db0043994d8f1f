-- Of what stack a task is stands in the index of those that are open, too: a stack has few of them, and may have had very many.
DROP INDEX tasks_open;
CREATE INDEX tasks_open ON tasks (open, host, stack) WHERE open = 1;
