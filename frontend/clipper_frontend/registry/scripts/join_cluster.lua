-- Marks this Redis with a cluster's name if it has none, and returns the name that it has.  ARGV: name
at(METADATA, 'SETNX', 'CLUSTER_NAME', ARGV[1])
return at(METADATA, 'GET', 'CLUSTER_NAME')
