-- Begins a new epoch of a version's cached outputs.  ARGV: name, version
local name, version = ARGV[1], ARGV[2]
if not is_registered(name, version) then
  return refuse("Model with name '%s' and version '%s' does not exist", name, version)
end
at(MODELS, 'HINCRBY', name .. ':' .. version, 'cache_epoch', 1)
