-- Of which grants that are over the provider is still to be told.
CREATE INDEX grants_to_tell ON grants (ended_at) WHERE ended_at IS NOT NULL AND provider_tokens IS NOT NULL;
