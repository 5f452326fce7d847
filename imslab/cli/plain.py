"""Commands whose values are text or flags, and need no coercion.

typer turns each value into its type with pydantic, which takes as long to load as numpy. Where every value
is taken as it was typed, a program that waits for its answer need not wait for that.
"""

from typing import Any

from typer.core import TyperCommand, TyperGroup


class _AsTyped:
    """Stands where typer has what coerces a value."""

    def coerce(self, value: Any, **_: Any) -> Any:
        return value


class _Plain:
    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, that of --help among them, as the option parser asks for them."""
        parameters: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for parameter in parameters:
            if hasattr(parameter, "_runtime_param"):  # a typer without it coerces in another way: let it
                parameter._runtime_param = _AsTyped()
        return parameters


class PlainCommand(_Plain, TyperCommand):
    """A command without coercion: for parameters that are ``str``, ``list[str]`` or ``bool``, or None."""


class PlainGroup(_Plain, TyperGroup):
    """The same for the options before the command."""
