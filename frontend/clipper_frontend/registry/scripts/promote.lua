-- Makes the current version serve if it may, and returns the version that serves.  ARGV: name
return promote(ARGV[1])
