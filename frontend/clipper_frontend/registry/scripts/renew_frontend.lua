-- Prolongs the life of a query frontend's record. Returns 0 if it is gone.  ARGV: id
return at(FRONTENDS, 'PEXPIRE', 'QUERY_FRONTEND:' .. ARGV[1], FRONTEND_LIFETIME_MS)
