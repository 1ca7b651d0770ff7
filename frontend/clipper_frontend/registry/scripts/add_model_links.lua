-- Links an application to models.
-- ARGV: application, the names of the policies for several models, the number of models, their names; then, if the
-- policy changes with the links, the policy_config that is replaced, and the fields of the new policy
local application, policies, count = ARGV[1], ARGV[2], tonumber(ARGV[3])
local last = 3 + count
local wanted = at(APPLICATIONS, 'HGET', application, 'input_type')
if not wanted then
  return refuse("No app with name '%s' exists.", application)
end
for i = 4, last do
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
if count == 0 then
  return refuse("Please provide the names of the models to link to the application '%s'. "
    .. "Attempted to add links to 0 models.", application)
end
if takes_one_model(application) then
  if count > 1 then
    return refuse("Applications must be linked with at most one model. Attempted to add links to %d models. "
      .. "For several, give '%s' one of these policies first: %s", count, application, policies)
  end
  for _, linked in ipairs(at(LINKS, 'SMEMBERS', application)) do
    if linked ~= ARGV[4] then
      return refuse("A model with name '%s' is already linked to '%s'. An application may be linked to one model "
        .. "only under its policy: delete that link first, or give '%s' a policy for several: %s",
        linked, application, application, policies)
    end
  end
end
local weighs = #ARGV > last
if weighs and is_other_policy(application, ARGV[last + 1]) then
  return refuse_other_policy(application)
end
-- The links come before the policy that needs them, since followers read them in this order.
at(LINKS, 'SADD', application, unpack(ARGV, 4, last))
if weighs then
  at(APPLICATIONS, 'HSET', application, unpack(ARGV, last + 2))
end
