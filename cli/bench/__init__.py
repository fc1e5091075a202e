"""The product's numbers beside their floors."""
