"""Services, one folder each: a manifest, the code behind it, its tests."""
