"""Commands that run the product: up, api, worker, migrate."""
