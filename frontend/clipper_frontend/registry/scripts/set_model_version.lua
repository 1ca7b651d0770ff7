-- Makes a registered version current.  ARGV: name, version
local name, version = ARGV[1], ARGV[2]
if not is_registered(name, version) then
  return refuse("Cannot set non-existent version '%s' for model '%s': it is not registered", version, name)
end
local input_type = at(MODELS, 'HGET', name .. ':' .. version, 'input_type')
local application, wanted = linked_application_of_other_type(name, input_type)
if application then
  return refuse("Model with name '%s' is linked to app '%s' using input type '%s'. The input type of version "
    .. "'%s', '%s', is not compatible.", name, application, wanted, version, input_type)
end
at(METADATA, 'SET', 'CURRENT_MODEL_VERSION:' .. name, version)
promote(name)
