-- Answers who asked how far a query frontend is.  ARGV: channel, text
redis.call('PUBLISH', ARGV[1], ARGV[2])
