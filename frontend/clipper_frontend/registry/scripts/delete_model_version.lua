-- Unregisters a version. If it was current, returns the versions that are left, of which none is current.
-- ARGV: name, version
local name, version = ARGV[1], ARGV[2]
if not is_registered(name, version) then
  return refuse("Model with name '%s' and version '%s' does not exist", name, version)
end
local function delete_if_it_names_the_version(key)
  if at(METADATA, 'GET', key) == version then
    at(METADATA, 'DEL', key)
    return true
  end
end
delete_if_it_names_the_version('SERVING_MODEL_VERSION:' .. name)
local was_current = delete_if_it_names_the_version('CURRENT_MODEL_VERSION:' .. name)
if was_current then
  at(METADATA, 'DEL', 'SERVING_MODEL_VERSION:' .. name)
end
at(MODELS, 'DEL', name .. ':' .. version)
promote(name)
return was_current and registered_versions(name) or {}
