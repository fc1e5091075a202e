"""The roles of the server: up, api, worker, migrate."""
