"""Connectors made of OpenAPI documents (3.0, 3.1, Swagger 2): what a document says is data, never trusted."""
