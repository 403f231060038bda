"""Dagster definitions, one concept per file. An asset's body calls the library, writes, and returns metadata.

Files with assets do without `from __future__ import annotations`: Dagster reads their annotations as objects.
"""
