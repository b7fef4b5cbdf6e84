-- Who ended a grant that was ended on purpose; `ended_because` says which misuse ended the others.
ALTER TABLE grants ADD COLUMN ended_by TEXT CHECK (ended_by IN ('client', 'user', 'operator'));
