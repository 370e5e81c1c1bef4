"""The base of all sections of an experiment file, and the types of their values."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

LARGEST = 2**31 - 1  # whole number: seeds of torch and sizes of arrays end there or later

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
# Whole numbers are strict, so that `true` is not 1; floats take whole ones too.
Count = Annotated[int, Field(ge=1, le=LARGEST, strict=True)]
Whole = Annotated[int, Field(ge=0, le=LARGEST, strict=True)]


class ConfigSection(BaseModel):
    """A part of an experiment file: an unknown key is an error, and values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
