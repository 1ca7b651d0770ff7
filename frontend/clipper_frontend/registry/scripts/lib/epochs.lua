-- A registry has an epoch from its first moment on, and keeps those of a lost one that was put back into it. A caller
-- that has joined a registry gives the epoch that it had, and reaches no other registry in its place.
if KEYS[1] and at(METADATA, 'SISMEMBER', 'REGISTRY_EPOCHS', KEYS[1]) == 0 then
  return redis.error_reply('REPLACED')
end
