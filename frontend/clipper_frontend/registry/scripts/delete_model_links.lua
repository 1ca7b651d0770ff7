-- Deletes links of an application.
-- ARGV: application, the number of models, their names; then, if the policy changes with the links, the
-- policy_config that is replaced, and the fields of the new policy
local application, last = ARGV[1], 2 + tonumber(ARGV[2])
if not exists(APPLICATIONS, application) then
  return refuse("No app with name '%s' exists.", application)
end
for i = 3, last do
  if at(LINKS, 'SISMEMBER', application, ARGV[i]) == 0 then
    return refuse("Cannot remove nonexistent link between app '%s' and model '%s'", application, ARGV[i])
  end
end
if last == 2 then
  return refuse("Please provide the names of the models to unlink from the application '%s'", application)
end
-- The policy's arms are deleted before the links that they need, since followers read them in this order.
if #ARGV > last then
  if is_other_policy(application, ARGV[last + 1]) then
    return refuse_other_policy(application)
  end
  at(APPLICATIONS, 'HSET', application, unpack(ARGV, last + 2))
end
at(LINKS, 'SREM', application, unpack(ARGV, 3, last))
