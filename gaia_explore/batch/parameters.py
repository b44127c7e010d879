"""What a notebook declares in its cell tagged ``parameters``: names, types, defaults and comments."""

import ast
import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import papermill

SCALARS: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}
"""The types that a value on the command line can be read by without quotes and brackets; the others are JSON."""


@final
@dataclass(frozen=True, kw_only=True)
class Declared:
    """One parameter: its name, its type and its default as they are written, and its comment."""

    name: str
    type: str
    default: str
    comment: str

    def __str__(self) -> str:
        comment = f"  # {self.comment}" if self.comment else ""
        return f"{self.name}: {self.type} = {self.default}{comment}"

    @property
    def value(self) -> Any:
        """The default, or its source where that is no literal."""
        return _literal(self.default)

    def check(self, value: Any) -> Any:
        """The value as the notebook gets it: NumPy's scalars as Python's, whole numbers for floats as floats.

        Raises
        ------
        TypeError, ValueError
            For another type, a number that is not finite, and what JSON cannot hold.
        """
        value = value.item() if isinstance(value, np.generic) else value
        if self.type == "float" and type(value) is int:
            value = float(value)
        outer = self.type.split("[")[0].strip()
        wanted = SCALARS.get(outer, {"list": list, "dict": dict}.get(outer))
        if wanted is not None and type(value) is not wanted:
            article = "an" if outer == "int" else "a"
            raise TypeError(f"{self.name} must be {article} {outer} ({self}), got {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{self.name} must be finite ({self}), got {value}")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{self.name} must be what JSON can hold ({self}), got {value!r}") from error
        return value

    def read(self, text: str) -> Any:
        """The value that is written on a command line.

        Raises
        ------
        ValueError
            For text that is none of this type.
        """
        if self.type == "str":
            return text
        kind = SCALARS.get(self.type)
        try:
            if kind is bool:
                return {"true": True, "false": False}[text.lower()]
            return json.loads(text) if kind is None else self.check(kind(text))
        except (KeyError, ValueError) as error:
            expected = f"a {self.type}" if kind is not None and kind is not int else "an int" if kind else "JSON"
            raise ValueError(f"{self.name} must be {expected} ({self}), got {text!r}") from error

    def read_list(self, text: str) -> list[Any]:
        """The values that are written on a command line, with commas between them (quotes around one that has some).

        Raises
        ------
        ValueError
            For an empty list, and for a value of another type.
        """
        if self.type in SCALARS:
            pieces = next(csv.reader([text], skipinitialspace=True), [])
            if not all(piece.strip() for piece in pieces) or not pieces:
                raise ValueError(f"{self.name} must have values with commas between them ({self}), got {text!r}")
            return [self.read(piece.strip()) for piece in pieces]
        values = self.read(f"[{text}]")
        if not values:
            raise ValueError(f"{self.name} must have values with commas between them ({self}), got {text!r}")
        return values


@final
class Declarations:
    """All that a notebook declares, by name and in order.

    Raises
    ------
    FileNotFoundError
        Where there is no such notebook.
    """

    def __init__(self, notebook: str | Path):
        notebook = Path(notebook)
        if not notebook.is_file():
            raise FileNotFoundError(f"notebook must be a file, got {notebook}")
        self.notebook = notebook.name
        self._by_name: dict[str, Declared] = {}
        for name, found in papermill.inspect_notebook(str(notebook)).items():
            kind, default = found["inferred_type_name"], found["default"]
            if kind == "None":
                kind = type(_literal(default)).__name__
            self._by_name[name] = Declared(name=name, type=kind, default=default, comment=found["help"])

    def __getitem__(self, name: str) -> Declared:
        self.check_names([name])
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __str__(self) -> str:
        lines = "".join(f"\n  {declared}" for declared in self._by_name.values())
        return f"{self.notebook} declares:{lines}" if lines else f"{self.notebook} declares no parameters"

    def check_names(self, names: Iterable[str]):
        """Raise ValueError, with all that is declared, for a name that is not."""
        unknown = [name for name in names if name not in self._by_name]
        if unknown:
            declared = ", ".join(self._by_name)
            raise ValueError(f"parameters must be declared by {self.notebook} ({declared}), got {unknown}\n{self}")

    def check(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Values as the notebook gets them.

        Raises
        ------
        ValueError, TypeError
            For a name that is not declared, for a value of another type; either lists all that is declared.
        """
        self.check_names(parameters)
        checked = {}
        for name, value in parameters.items():
            try:
                checked[name] = self[name].check(value)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{error}\n{self}") from error
        return checked

    def complete(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Every declared parameter's value, the default where none is given."""
        return {name: declared.value for name, declared in self._by_name.items()} | dict(parameters)


def _literal(source: str) -> Any:
    try:
        return ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return source
