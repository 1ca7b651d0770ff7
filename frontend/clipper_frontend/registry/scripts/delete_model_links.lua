-- ARGV: application, then the names of models
local application = ARGV[1]
if not exists(APPLICATIONS, application) then
  return refuse("No app with name '%s' exists.", application)
end
for i = 2, #ARGV do
  if at(LINKS, 'SISMEMBER', application, ARGV[i]) == 0 then
    return refuse("Cannot remove nonexistent link between app '%s' and model '%s'", application, ARGV[i])
  end
end
if #ARGV == 1 then
  return refuse("Please provide the names of the models to unlink from the application '%s'", application)
end
at(LINKS, 'SREM', application, unpack(ARGV, 2))
