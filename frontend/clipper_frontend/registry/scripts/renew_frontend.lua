-- Returns 0 where the record is gone.  ARGV: id
return at(FRONTENDS, 'PEXPIRE', 'QUERY_FRONTEND:' .. ARGV[1], FRONTEND_LIFETIME_MS)
