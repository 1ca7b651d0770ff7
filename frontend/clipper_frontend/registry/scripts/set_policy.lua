-- Gives an application another policy.
-- ARGV: application, the names of the policies for several models, most_links, the fields of the policy
local application, policies, most_links = ARGV[1], ARGV[2], ARGV[3]
if not exists(APPLICATIONS, application) then
  return refuse("No app with name '%s' exists.", application)
end
local linked = at(LINKS, 'SMEMBERS', application)
if most_links == '1' and #linked > 1 then
  table.sort(linked)
  return refuse("The policy answers with one model, and app '%s' is linked to %d: %s. Delete links until one is "
    .. "left, or use a policy for several: %s", application, #linked, table.concat(linked, ', '), policies)
end
at(APPLICATIONS, 'HSET', application, unpack(ARGV, 4))
