"""What every section of a configuration is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Frozen, and without keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)
