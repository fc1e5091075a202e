"""Memory: the embedder, the index in LanceDB, its one writer, and looking things up in it."""
