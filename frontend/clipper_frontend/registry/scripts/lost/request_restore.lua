-- Asks the query frontends to put back a lost registry, or tells what became of it. Returns the state of the request, and
-- the ids of the query frontends that follow a lost registry.  ARGV: cluster name, 'wanted', 'asked' or 'withdrawn'
local owner = at(METADATA, 'GET', 'CLUSTER_NAME')
if owner and owner ~= ARGV[1] then
  return refuse("This Redis belongs to cluster '%s'", owner)
end
if ARGV[2] == 'wanted' then
  at(METADATA, 'SET', 'RESTORE_REGISTRY', 'wanted', 'PX', RESTORE_LIFETIME_MS)
elseif ARGV[2] == 'withdrawn' then
  at(METADATA, 'DEL', 'RESTORE_REGISTRY')
end
local found = { at(METADATA, 'GET', 'RESTORE_REGISTRY') or '' }
local prefix = 'QUERY_FRONTEND_CLAIM:'
for _, key in ipairs(at(FRONTENDS, 'KEYS', prefix .. '*')) do
  table.insert(found, string.sub(key, #prefix + 1))
end
return found
