-- Does nothing: it is refused, as every script is, if this is not the registry that the caller joined.
return 1
