-- Adds a replica to those whose outputs are not kept, of which the last 100 are known.  ARGV: name, version, instance id
local name, version, instance_id = ARGV[1], ARGV[2], ARGV[3]
if not is_registered(name, version) then
  return refuse("Model with name '%s' and version '%s' does not exist", name, version)
end
local key = name .. ':' .. version
local purged = {}
for known in string.gmatch(at(MODELS, 'HGET', key, 'purged_replicas') or '', '[^\n]+') do
  if known ~= instance_id then
    table.insert(purged, known)
  end
end
table.insert(purged, instance_id)
at(MODELS, 'HSET', key, 'purged_replicas', table.concat(purged, '\n', math.max(1, #purged - 99)))
