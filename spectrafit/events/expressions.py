"""Expressions in ROOT's spelling, parsed once and evaluated on the columns of a chunk.

`formulate` parses the text. This module turns the syntax tree into a short list of array operations. A text from a TOML
file can therefore name columns and the functions of `spectrafit.events.functions`, and nothing else. As in ROOT's
TTreeFormula every number is a double: ``/`` never truncates, ``(a > 1) + (b > 1)`` counts. Columns may be jagged;
``Sum$``, ``Max$``, ``Min$`` and ``Length$`` reduce them to a number per entry (0 for an empty list, as in ROOT), and
``x[0]`` takes an element. If an entry has no such element the value is NaN, and no selection takes the entry. Text can
be compared: ``process == "QEL"``.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import awkward as ak
import formulate
import formulate.AST as syntax
import numpy as np
from formulate.identifiers import NUMEXPR_CONSTANTS

from spectrafit.errors import ConfigError, nearest
from spectrafit.events.functions import BINARY, COMPARISONS, FUNCTIONS, ORDERS, UNARY, Element, doubles, flat, is_text
from spectrafit.physics.constants import M_E, M_MU

__all__ = ["CONSTANTS", "Expression", "column", "compile", "evaluate"]

CONSTANTS = {"pi": math.pi, "m_e": M_E, "m_mu": M_MU, "true": 1.0, "false": 0.0}
"""Names that are numbers, not columns; masses in GeV."""

_NUMBERS = {"inf": math.inf, "neginf": -math.inf, "nan": math.nan} | NUMEXPR_CONSTANTS | CONSTANTS
# Numbers first, so that the exponent of 1e-3 is no name; a name followed by "(" or "::" belongs to a function.
_TOKENS = re.compile(
    r'"(?P<text>[^"]*)"'
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<function>[A-Za-z_]\w*(?:\s*::\s*\w+)*\$?(?=\s*\())"
    r"|(?P<name>[A-Za-z_]\w*(?:\.{1,2}\w+)*\$?)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_ALIASES = {"fabs": "abs"}


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression.

    Attributes
    ----------
    text : str
        The text of the expression.
    variables : tuple of str
        Names of the columns it needs, in order of appearance.
    """

    text: str
    variables: tuple[str, ...]
    _program: tuple[tuple[str, Any, int], ...] = field(repr=False, compare=False)

    def __call__(self, columns: Mapping[str, Any] | ak.Array) -> Any:
        """Evaluate over columns.

        Parameters
        ----------
        columns : mapping of name to array, or awkward record array
            Numpy arrays of shape (N,), or awkward arrays, jagged or not.

        Returns
        -------
        array
            Float64, or bool for a comparison, which becomes float64 where some of it is NaN: numpy of shape (N,) where
            the result is a number per entry, awkward where it is jagged, a scalar where no column is involved.

        Raises
        ------
        ConfigError
            A name is not among the columns, or lists of different lengths are combined.
        """
        known = columns.fields if isinstance(columns, ak.Array) else columns
        stack: list[Any] = []
        with np.errstate(all="ignore"):
            for kind, value, arity in self._program:
                if kind in ("number", "text"):
                    stack.append(value)
                elif kind == "column":
                    if value not in known:
                        raise ConfigError(f"expression {self.text!r}: no column {value!r}{nearest(value, list(known))}")
                    stack.append(doubles(columns[value]))
                else:
                    arguments = stack[len(stack) - arity :]
                    del stack[len(stack) - arity :]
                    try:
                        stack.append(value(*arguments))
                    except (ValueError, TypeError) as error:
                        if any(map(is_text, arguments)):
                            raise ConfigError(
                                f"expression {self.text!r}: one of {', '.join(self.variables)} is text, which can"
                                " only be"
                                ' compared with text, as in name == "nue"'
                            ) from None
                        reason = str(error).strip().splitlines()[0]
                        raise ConfigError(
                            f"expression {self.text!r}: the shapes of {', '.join(self.variables)} do not fit together"
                            f" ({reason}); reduce jagged columns with Sum$, Max$, Min$ or [i]"
                        ) from error
        return flat(stack.pop())

    @property
    def is_column(self) -> bool:
        """Whether the expression is just the column called `text`."""
        return self._program == (("column", self.text, 0),)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the text alone, to be compiled again."""
        return (column if self.is_column else compile), (self.text,)


def column(name: str) -> Expression:
    """Return the expression that is the column `name` itself, whatever characters the name has."""
    return Expression(name, (name,), (("column", name, 0),))


@functools.lru_cache(maxsize=4096)
def compile(text: str) -> Expression:
    """Parse an expression.

    Parameters
    ----------
    text : str
        ROOT's spelling: ``+ - * / % ^ **``, comparisons, ``&& || !``, ``TMath::`` functions or their plain names,
        ``Sum$ Min$ Max$ Length$``, ``where(condition, a, b)``, `CONSTANTS`. Names may contain dots.

    Raises
    ------
    ConfigError
        The text is no such expression. Text is never executed as code.
    """
    names: dict[str, str] = {}
    texts: dict[str, str] = {}
    pieces = []
    for token in _TOKENS.finditer(text):
        piece = token.group()
        if token.lastgroup == "text":
            piece = f"text_{len(texts)}"
            texts[piece] = token["text"]
        elif token.lastgroup == "name" and piece not in CONSTANTS:
            # formulate gets placeholders for names, so that a..b, keywords and its own constants can be columns.
            piece = names.setdefault(piece, f"column_{len(names)}")
        elif token.lastgroup == "function":
            piece = _ALIASES.get(piece.lower(), piece)
        pieces.append(piece)
    try:
        tree = formulate.from_root("".join(pieces))
    except (formulate.ParseError, SyntaxError, ValueError) as error:
        raise ConfigError(f"expression {text!r}: {_reason(error, text)}") from None
    columns = {placeholder: name for name, placeholder in names.items()}
    return Expression(text, tuple(names), tuple(_instructions(tree, columns, texts, text)))


def evaluate(text: str, columns: Mapping[str, Any] | ak.Array) -> Any:
    """Compile and evaluate in one go; see `compile` and `Expression`."""
    return compile(text)(columns)


def _reason(error: Exception, text: str) -> str:
    known = ", ".join(sorted(FUNCTIONS))
    message = str(error)
    if "nknown function" in message:
        wanted = message.rpartition("constant")[2].strip(' "')
        return f"no function {wanted!r}{nearest(wanted, FUNCTIONS)} (there are: {known})"
    if re.search(r"(?<!&)&(?!&)|(?<!\|)\|(?!\|)", text):
        return "is not an expression; combine conditions with && and ||"
    if "?" in text:
        return "is not an expression; write where(condition, a, b) for condition ? a : b"
    return "is not an expression of columns, numbers, operators and functions in ROOT's spelling"


def _instructions(
    tree: syntax.AST, columns: dict[str, str], texts: dict[str, str], text: str
) -> list[tuple[str, Any, int]]:
    """Turn the tree into postfix form without recursion; raise for anything that is not in the tables."""
    program: list[tuple[str, Any, int]] = []
    # The kinds of the values on the stack are followed: conditions turn into doubles where arithmetic needs doubles.
    kinds: list[bool] = []
    pending: list[tuple[syntax.AST, bool]] = [(tree, False)]
    while pending:
        node, visited = pending.pop()
        children = _children(node, text)
        if children and not visited:
            pending.append((node, True))
            pending.extend((child, False) for child in reversed(children))
            continue
        if isinstance(node, syntax.Symbol) and node.name in texts:
            kinds.append(False)
            program.append(("text", texts[node.name], 0))
            continue
        if any(isinstance(child, syntax.Symbol) and child.name in texts for child in children) and not (
            isinstance(node, syntax.BinaryOperator) and node.operator in ("eq", "neq")
        ):
            raise ConfigError(f'expression {text!r}: text can only be compared, with == or !=, as in name == "nue"')
        instruction, takes_conditions, gives_condition = _operation(node, columns, text)
        arity = instruction[2]
        if arity and not takes_conditions:
            function, arguments = instruction[1], tuple(kinds[len(kinds) - arity :])
            if any(arguments):
                instruction = ("call", _Counting(function, arguments), arity)
        del kinds[len(kinds) - arity :]
        kinds.append(gives_condition)
        program.append(instruction)
    return program


@dataclass(frozen=True, slots=True)
class _Counting:
    """A function with conditions among its arguments, which are counted as 0 and 1."""

    function: Callable[..., Any]
    conditions: tuple[bool, ...]

    def __call__(self, *arguments: Any) -> Any:
        return self.function(
            *(a * 1.0 if condition else a for a, condition in zip(arguments, self.conditions, strict=True))
        )


def _children(node: syntax.AST, text: str) -> tuple[syntax.AST, ...]:
    match node:
        case syntax.UnaryOperator():
            return (node.operand,)
        case syntax.BinaryOperator():
            return (node.left, node.right)
        case syntax.Call():
            return tuple(node.arguments)
        case syntax.Matrix():
            return (node.var,)
        case _:
            return ()


def _operation(node: syntax.AST, columns: dict[str, str], text: str) -> tuple[tuple[str, Any, int], bool, bool]:
    """Return the instruction of a node, whether it takes conditions as they are, whether its result is one."""
    match node:
        case syntax.Literal(value=value):
            try:
                return ("number", float(value), 0), False, False
            except OverflowError:
                raise ConfigError(f"expression {text[:60]!r}: a number in it is too large for a double") from None
        case syntax.Symbol(name=name):
            if name in columns:
                return ("column", columns[name], 0), False, False
            return ("number", float(_NUMBERS[name]), 0), False, False
        case syntax.UnaryOperator(operator=operator):
            return ("call", UNARY[operator], 1), operator == "inv", operator == "inv"
        case syntax.BinaryOperator(operator=operator, left=left) if operator in BINARY:
            comparison = operator in COMPARISONS
            if operator in ORDERS and isinstance(left, syntax.BinaryOperator) and left.operator in ORDERS:
                raise ConfigError(f"expression {text!r}: write a < b && b < c for a < b < c")
            if operator == "pow" and isinstance(node.right, syntax.BinaryOperator) and node.right.operator == "pow":
                raise ConfigError(f"expression {text!r}: ROOT reads a^b^c as (a^b)^c; write (a^b)^c, or pow(a, b^c)")
            logical = operator in ("and", "or")
            return ("call", BINARY[operator], 2), logical, comparison or logical
        case syntax.Call(function=function, arguments=arguments):
            by_arity = FUNCTIONS.get(function)
            if by_arity is None:
                raise ConfigError(
                    f"expression {text!r}: {_reason(ValueError('unknown function or constant ' + function), text)}"
                )
            if len(arguments) not in by_arity:
                needed = " or ".join(str(count) for count in by_arity)
                raise ConfigError(f"expression {text!r}: {function} takes {needed} arguments, found {len(arguments)}")
            return ("call", by_arity[len(arguments)], len(arguments)), function == "where", False
        case syntax.Matrix(indices=indices):
            if not all(isinstance(index, syntax.Literal) and isinstance(index.value, int) for index in indices):
                raise ConfigError(f"expression {text!r}: an index must be a number, as in x[0]")
            return ("call", Element(tuple(index.value for index in indices)), 1), False, False
        case _:
            raise ConfigError(f"expression {text!r}: needs one expression; ':' separates several")
