-- ARGV: application, then the names of models
local application = ARGV[1]
local wanted = at(APPLICATIONS, 'HGET', application, 'input_type')
if not wanted then
  return refuse("No app with name '%s' exists.", application)
end
for i = 2, #ARGV do
  local current = at(METADATA, 'GET', 'CURRENT_MODEL_VERSION:' .. ARGV[i])
  if not current or not is_registered(ARGV[i], current) then
    return refuse("No model with name '%s' exists.", ARGV[i])
  end
  local input_type = at(MODELS, 'HGET', ARGV[i] .. ':' .. current, 'input_type')
  if input_type ~= wanted then
    return refuse("Model with name '%s' has incompatible input_type '%s'. "
      .. "Requested app to link to has input_type '%s'.", ARGV[i], input_type, wanted)
  end
end
if #ARGV ~= 2 then
  return refuse("Applications must be linked with at most one model. "
    .. "Attempted to add links to %d models.", #ARGV - 1)
end
for _, linked in ipairs(at(LINKS, 'SMEMBERS', application)) do
  if linked ~= ARGV[2] then
    return refuse("A model with name '%s' is already linked to '%s'. An application may be linked to one model "
      .. "only: delete that link first.", linked, application)
  end
end
at(LINKS, 'SADD', application, ARGV[2])
