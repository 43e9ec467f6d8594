"""The options and what config.yaml says of each."""

import re

import pytest
from pydantic import BaseModel

from coinsorter.config.schema import Config, FlapSettings
from tests.unit.config.conftest import TEXT


def every_option(model: type[BaseModel], prefix: str = ""):
    """(name, pydantic field) of every option that stands for itself in config.yaml."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from every_option(kind, f"{prefix}{name}.")
        elif name != "bins":
            yield f"{prefix}{name}", field


@pytest.mark.parametrize(
    "name, field",
    [*every_option(Config), *(("flap." + n, f) for n, f in FlapSettings.model_fields.items())],
)
def test_every_option_is_explained_in_the_shipped_file_with_its_true_range_and_default(name, field):
    key = name.rsplit(".", 1)[-1]
    inside_flap = name.startswith("flap.")
    pattern = rf"^#     {key} +(.*)$" if inside_flap else rf"^ *{key}: +\S+ +# (.*)$"
    (comment,) = re.findall(pattern, TEXT, re.MULTILINE)
    limits = [
        getattr(m, "ge", getattr(m, "le", None))
        for m in [
            *field.metadata,
            *getattr(getattr(field.annotation, "__args__", [None])[0], "__metadata__", []),
        ]
        for m in (getattr(m, "metadata", None) or [m])
    ]
    limits = [limit for limit in limits if limit is not None]
    if len(limits) == 2:
        assert f"{limits[0]:g} to {limits[1]:g}" in comment
    if not field.is_required():
        default = field.default
        words = (
            {True: "true", False: "false", None: "null"}.get(default, default)
            if isinstance(default, bool) or default is None
            else default
        )
        assert (
            f"default {words:g}" in comment
            if isinstance(words, (int, float))
            else f"default {words}" in comment
        )


def test_the_shipped_file_states_every_default(config):
    assert Config(bins=config.bins).model_dump(exclude={"bins"}) == config.model_dump(
        exclude={"bins"}
    )
