"""The same rewards under the interfaces of other trainers."""
