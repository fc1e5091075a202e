"""The only SQL, one file per noun, visibility inside each query."""
