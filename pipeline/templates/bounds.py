"""A sandbox with bounds: a template can neither reach the process nor keep it busy.

Jinja2's immutable sandbox keeps a template from everything but its data. What it does not bound
is effort: loops in loops, macros that call each other, texts that double, lists that hold
themselves a thousand times. Here whatever a template does takes from a purse that is filled anew
for each rendering, in proportion to the work, and before the work is done; when it is empty the
rendering ends with `TooMuch`. What grows a text by a factor is sized up beforehand.

Safe to use from many threads: each has a purse of its own. Called by `pipeline.templates`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateRuntimeError, Undefined, nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

EFFORT: Final = 20_000_000
"""What one rendering may cost: 100,000 rounds of loops, 4 million characters written, …"""
LARGEST: Final = 1_000_000
"""The most characters of one text, and the most weight of one value."""
_PER_STEP, _PER_CHARACTER = 200, 5
_LONGEST_RANGE: Final = 10_000
_WIDEST: Final = 10_000
_LARGEST_INTEGER_BITS: Final = 4_096

_FILTERS = """\
abs batch capitalize count d default dictsort e escape filesizeformat first float forceescape
format groupby indent int items join last length list lower map max min reject rejectattr replace
reverse round safe select selectattr slice sort string striptags sum title tojson trim truncate
unique upper urlencode wordcount wordwrap"""
_GROWING_METHODS = frozenset(
    {"center", "encode", "expandtabs", "ljust", "maketrans", "rjust", "translate", "zfill"}
)
_WIDE: Final = {
    "%": re.compile(r"%[^A-Za-z%]*(?:\d{5}|\*)"),
    "{": re.compile(r":[^{}:]*(?:\d{5}|\{)"),
}
_DIGITS = re.compile(r"(?<!\d)\d{1,4}(?!\d)")


class TooMuch(TemplateRuntimeError):
    """A template that would do, or write, more than one may."""


class _Purse(threading.local):
    left: int | None = None


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, bounded. A name that is not there is an error, unless `undefined` is
    another; nothing is written of None, and `true` of True."""

    intercepted_binops = frozenset({"+", "*", "**", "%", "//"})

    def __init__(self, undefined: type[Undefined] = StrictUndefined, **options: Any) -> None:
        super().__init__(
            undefined=undefined,
            finalize=self.written,
            optimized=False,
            trim_blocks=True,
            lstrip_blocks=True,
            **options,
        )
        self._purse = _Purse()
        known: dict[str, Any] = {name: self.filters[name] for name in _FILTERS.split()}
        self.filters = {name: self.counted(name, filter) for name, filter in known.items()}
        tests: dict[str, Any] = self.tests
        self.tests = {name: self.counted(name, test) for name, test in tests.items()}
        del self.globals["lipsum"]
        self.globals["range"] = _short_range

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """Fill the purse for one rendering in this thread."""
        before, self._purse.left = self._purse.left, EFFORT
        try:
            yield
        finally:
            self._purse.left = before

    # --- what is told of a template's doings ---------------------------------------------------

    def charge(self, cost: int) -> bool:
        """Take from the purse. Raises `TooMuch` when it is empty."""
        left = self._purse.left
        if left is not None:
            self._purse.left = left = left - cost
            if left < 0:
                raise TooMuch("it does or writes too much. Loop over less, or write less.")
        return True

    def weighed(self, value: Any) -> Any:
        """The value, its weight taken from the purse. Raises `TooMuch` for one too heavy."""
        self.charge(weight(value))
        return value

    def written(self, value: Any) -> Any:
        """A value as it is written out."""
        if value is None:
            return ""
        if value is True or value is False:
            return "true" if value else "false"
        text = value if isinstance(value, str) else str(self.weighed(value))
        self.charge(_PER_CHARACTER * len(text))
        return text

    def counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """A filter or a test whose work is taken from the purse."""

        @wraps(call)
        def counting(*args: Any, **options: Any) -> Any:
            # Filters that are handed the environment or the context have it first.
            given = args[1:] if hasattr(call, "jinja_pass_arg") else args
            self._before(name, given, options)
            return self._after(call(*args, **options))

        return counting

    # --- the sandbox's own hooks ---------------------------------------------------------------

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call what a template calls, if it may."""
        if isinstance(getattr(__obj, "__self__", None), str):
            __self._before(__obj.__name__, (__obj.__self__, *args), kwargs)
        else:
            __self._before("", args, kwargs)
        return __self._after(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Add, multiply, raise, or fill in, where the outcome is not too large."""
        for number in (left, right):
            self._expect(_bits(number.bit_length()) if isinstance(number, int) else 0)
        grown = weight(left) + weight(right)
        if operator == "*":
            grown = _product(left, right)
        elif operator == "**":
            grown = _power(left, right)
        elif operator == "%" and isinstance(left, str):
            grown = _filled_in(left, right)
        self._expect(grown)
        return super().call_binop(context, operator, left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """An item before an attribute: `fields.items` is the field of that name, if there is
        one."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An item; a key that takes long to look up is weighed."""
        return super().getitem(obj, self.weighed(argument))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Not what grows a text without need."""
        if isinstance(obj, str) and attr in _GROWING_METHODS:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """`format` of a text, sized up beforehand."""
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None
        form: str = value.__self__

        def sized(*args: Any, **named: Any) -> str:
            self._expect(_filled_in(form, *args, mark="{", **named))
            return wrapped(*args, **named)

        return sized

    def _load_template(self, name: Any, globals: Any) -> Any:
        self.charge(10 * _PER_STEP)
        return super()._load_template(name, globals)

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None,
        defer_init: bool = False,
    ) -> str:  # fmt: skip
        return super()._generate(_with_charges(source), name, filename, defer_init)

    # --- what a call costs ---------------------------------------------------------------------

    def _before(self, name: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        heavy = sum(map(weight, args)) + sum(map(weight, options.values()))
        self.charge(_PER_STEP + heavy)
        if grows := _GROWTH.get(name):
            try:
                grown = grows(*args, **options)
            except (TypeError, ValueError, AttributeError):
                return  # It fails by itself, and says why.
            self._expect(grown)

    def _after(self, result: Any) -> Any:
        if isinstance(result, str):
            self._expect(len(result))
        elif isinstance(result, int):
            self._expect(_bits(result.bit_length()))
        return result

    def _expect(self, size: int) -> None:
        if size > LARGEST:
            raise TooMuch("it makes a text, a list or a number too large.")
        self.charge(size)


def weight(value: Any) -> int:
    """How much there is in a value, with everything inside it, each time that it is there.

    Raises `TooMuch` for one that is too heavy.
    """
    if isinstance(value, str):
        return len(value)
    total, inside = 0, [value]
    while inside:
        each = inside.pop()
        if isinstance(each, (str, bytes)):
            total += len(each)
        elif isinstance(each, Mapping):
            inside.extend(each)
            inside.extend(each.values())
        elif isinstance(each, (list, tuple, set, frozenset)):
            inside.extend(each)
        elif isinstance(each, int):
            total += each.bit_length() // 3
        total += 4
        if total + 4 * len(inside) > LARGEST:
            raise TooMuch("a value in it is too large.")
    return total


# --- what grows by a factor: the size of the outcome, from the arguments -------------------------


def _product(left: Any, right: Any) -> int:
    if isinstance(left, int) and isinstance(right, int):
        return _bits(left.bit_length() + right.bit_length())
    for one, other in ((left, right), (right, left)):
        if isinstance(one, (str, list, tuple)) and isinstance(other, int):
            return weight(one) * max(other, 0)
    return weight(left) + weight(right)


def _power(left: Any, right: Any) -> int:
    if isinstance(left, int) and isinstance(right, int):
        return _bits(left.bit_length() * abs(right))
    return 0


def _bits(bits: int) -> int:
    return LARGEST + 1 if bits > _LARGEST_INTEGER_BITS else 0


def _joined(value: Any, d: Any = "", attribute: Any = None) -> int:
    return weight(value) + len(value) * len(str(d)) if hasattr(value, "__len__") else weight(d)


def _replaced(value: Any, old: Any, new: Any, count: Any = None) -> int:
    text = str(value)
    return len(text) + text.count(str(old)) * len(str(new))


def _indented(value: Any, width: Any = 4, first: Any = False, blank: Any = False) -> int:
    step = width if isinstance(width, int) else len(width)
    return len(str(value)) + (str(value).count("\n") + 1) * step


def _wrapped(value: Any, width: Any = 79, *args: Any, wrapstring: Any = "", **_: Any) -> int:
    if len(args) > 1:
        wrapstring = args[1]
    lines = str(value).count("\n") + len(str(value)) // max(int(width), 1) + 1
    return len(str(value)) + lines * len(wrapstring or "\n")


def _wide(value: Any, number: Any = 0, *_: Any, **__: Any) -> int:
    return LARGEST + 1 if int(number) > _WIDEST else 0


def _rounded(value: Any, precision: Any = 0, *_: Any) -> int:
    return LARGEST + 1 if abs(int(precision)) > 100 else 0


def _as_json(value: Any, indent: Any = None) -> int:
    return weight(value) * max(int(indent or 0), 1)


def _filled_in(value: Any, *args: Any, mark: str = "%", **named: Any) -> int:
    """A text with values in it: each of its places may take the heaviest, as wide as any says."""
    form = str(value)
    if _WIDE[mark].search(form):
        return LARGEST + 1
    inside = [part for each in (*args, named) for part in _parts(each)]
    most = max(map(weight, inside), default=0) + max(map(int, _DIGITS.findall(form)), default=0)
    return len(form) + form.count(mark) * most


def _parts(value: Any) -> Iterable[Any]:
    """The values that a text may be filled with, one by one."""
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, tuple) else (value,)


def _spread(iterable: Any, attribute: Any = None, start: Any = 0) -> int:
    """Only numbers are summed up."""
    if not isinstance(start, (int, float)):
        raise TooMuch("only numbers can be summed up.")
    return 0


def _join(*args: Any, **options: Any) -> int:
    """The filter has the parts first, the method of a text has the separator first."""
    if args and isinstance(args[0], str) and len(args) > 1 and not isinstance(args[1], str):
        return _joined(args[1], args[0])
    return _joined(*args, **options)


def _searched(value: Any, *sought: Any, **_: Any) -> int:
    """What looks at each place for each character of what is sought."""
    longest = max((len(each) for each in sought if isinstance(each, str)), default=0)
    return len(str(value)) * longest // 100


def _stripped(value: Any) -> int:
    """Taking out a tag moves all that is behind it."""
    return len(str(value)) * str(value).count("<") // 1_000


_GROWTH: Mapping[str, Callable[..., int]] = {
    "join": _join,
    "replace": _replaced,
    "indent": _indented,
    "wordwrap": _wrapped,
    "batch": _wide,
    "slice": _wide,
    "round": _rounded,
    "tojson": _as_json,
    "format": _filled_in,
    "sum": _spread,
    "striptags": _stripped,
    **dict.fromkeys(("trim", "strip", "lstrip", "rstrip"), _searched),
    **dict.fromkeys(("rfind", "rindex", "rsplit", "rpartition"), _searched),
}
"""By the names of filters, and of the methods of texts."""


def _short_range(*args: int) -> range:
    found = range(*args)
    if len(found) > _LONGEST_RANGE:
        raise TooMuch(f"a range of more than {_LONGEST_RANGE} numbers is too long.")
    return found


# --- the syntax tree, with charges put in -------------------------------------------------------


def _with_charges(template: nodes.Template) -> nodes.Template:
    """Whatever may happen many times takes from the purse each time."""
    for body in template.find_all((nodes.For, nodes.Macro, nodes.CallBlock, nodes.Block)):
        _charge_for(body)
    for compare in template.find_all(nodes.Compare):
        compare.expr = _weighed(compare.expr)
        for operand in compare.ops:
            operand.expr = _weighed(operand.expr)
    for pair in template.find_all(nodes.Pair):
        pair.key = _weighed(pair.key)
    for concat in template.find_all(nodes.Concat):
        concat.nodes = [_weighed(each) for each in concat.nodes]
    return template


def _charge_for(node: Any) -> None:
    literal = sum(len(data.data) for data in node.find_all(nodes.TemplateData))
    cost = nodes.Const(_PER_STEP + _PER_CHARACTER * literal, lineno=node.lineno)
    paid = nodes.Call(nodes.EnvironmentAttribute("charge"), [cost], [], None, None)
    paid.set_lineno(node.lineno).set_environment(node.environment)
    if isinstance(node, nodes.For) and node.test is not None:
        node.test = nodes.And(paid, node.test, lineno=node.lineno)
    else:
        node.body.insert(0, nodes.ExprStmt(paid, lineno=node.lineno))
    node.set_environment(node.environment)


def _weighed(node: Any) -> Any:
    if isinstance(node, nodes.Const):
        return node
    call = nodes.Call(nodes.EnvironmentAttribute("weighed"), [node], [], None, None)
    return call.set_lineno(node.lineno).set_environment(node.environment)
