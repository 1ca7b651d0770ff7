-- Publishes a query frontend's acknowledgement.  ARGV: channel, text
redis.call('PUBLISH', ARGV[1], ARGV[2])
