"""The whole story on an embedded database."""
