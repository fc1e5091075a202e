"""Memory: the embedder, the index in LanceDB, its one writer, and looking things up in it."""

import os

os.environ.setdefault("LANCEDB_LOG", "error")  # it reads this when it is imported, and warns about usual things
