-- Cancels a writer's batch unless it was written; returns 1 if it was, else 0.  ARGV: writer, sequence, lifetime in s
settle_batch(ARGV[1], ARGV[2], 'cancelled', ARGV[3])
return was_written(ARGV[1], ARGV[2]) and 1 or 0
