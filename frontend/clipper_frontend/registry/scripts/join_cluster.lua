-- Marks this Redis with a cluster's name and an epoch if it has none. Returns the name and an epoch that it has.
-- ARGV: name, a new epoch
at(METADATA, 'SETNX', 'CLUSTER_NAME', ARGV[1])
local owner = at(METADATA, 'GET', 'CLUSTER_NAME')
if owner ~= ARGV[1] then
  return { owner, '' }
end
if not exists(METADATA, 'REGISTRY_EPOCHS') then
  at(METADATA, 'SADD', 'REGISTRY_EPOCHS', ARGV[2])
end
local epochs = at(METADATA, 'SMEMBERS', 'REGISTRY_EPOCHS')
table.sort(epochs)
return { owner, epochs[1] }
