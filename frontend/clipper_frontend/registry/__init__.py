"""The registry in Redis: keys, records, the store that writes them, and the mirror that follows them."""
