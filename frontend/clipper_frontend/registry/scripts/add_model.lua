-- Registers a version and makes it current.  ARGV: name, version, input type, then the fields of its hash
local name, version, input_type = ARGV[1], ARGV[2], ARGV[3]
if is_registered(name, version) then
  return refuse("model with name '%s' and version '%s' already exists", name, version)
end
local application, wanted = linked_application_of_other_type(name, input_type)
if application then
  return refuse("Model with name '%s' is already linked to app '%s' using input type '%s'. The input type you "
    .. "provided for a new version of the model, '%s', is not compatible.", name, application, wanted, input_type)
end
-- The version comes before the keys that point to it, since followers read them in this order.
at(MODELS, 'DEL', name .. ':' .. version)
at(MODELS, 'HSET', name .. ':' .. version, unpack(ARGV, 4))
at(METADATA, 'SET', 'CURRENT_MODEL_VERSION:' .. name, version)
promote(name)
