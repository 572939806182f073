# The entry: configuration, includes, target rules. Nothing else.
