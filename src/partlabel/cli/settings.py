"""Settings: what `fit` is told, by a TOML file, by options, or by both (options win)."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from partlabel.cli.columns import nearest
from partlabel.errors import InputError

ESTIMATORS = ("logistic", "extra-trees")
OBJECTIVES = ("auto", "em", "expected", "hard", "pseudo", "average")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of the table is what; those in the plural are patterns."""

    item: str | None = None
    text: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    candidates: str | None = None
    gold: str | None = None
    label: str | None = None

    @property
    def single(self) -> tuple[str | None, ...]:
        """Columns that aren't patterns, each with a meaning of its own."""
        return (self.item, self.candidates, self.gold, self.label)


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule as it is written down: a name, a label, a column, and one way to look at it."""

    name: str
    label: tuple[str, ...]
    column: str
    keywords: tuple[str, ...] = ()
    regex: str | None = None
    above: float | None = None
    below: float | None = None


@dataclass(frozen=True, slots=True)
class ModelText:
    """Which model to train, how, and with which seed."""

    estimator: str = "logistic"
    objective: str = "auto"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it."""

    classes: tuple[str, ...] = ()
    abstain: tuple[str, ...] = ()
    columns: Columns = field(default_factory=Columns)
    rules: tuple[RuleText, ...] = ()
    model: ModelText = field(default_factory=ModelText)

    def to_dict(self) -> dict[str, Any]:
        """Give plain values, as JSON has them."""
        return asdict(self)


def read_settings(path: Path | None, given: Mapping[str, Any]) -> Settings:
    """Read settings from a file, and let options take the place of what it says.

    Parameters
    ----------
    path : a TOML file, or None
    given : options by name, such as ``{"text": ["body"]}``; None and empty ones weren't given.

    Raises
    ------
    InputError
        If the file can't be read, or a key or a value isn't known.
    """
    settings = Settings() if path is None else parse_settings(_read(path), str(path))
    said = {name: value for name, value in given.items() if value not in (None, [], ())}
    for part in ("columns", "model"):
        old = getattr(settings, part)
        new = {one.name: said[one.name] for one in fields(old) if one.name in said}
        merged = _built(type(old), {**asdict(old), **new}, "the options")
        settings = replace(settings, **{part: merged})
    classes = _names(said.get("classes", settings.classes), "classes")
    abstain = _names(said.get("abstain", settings.abstain), "abstain")
    settings = replace(settings, classes=classes, abstain=abstain)
    return _checked(settings, "the options" if path is None else str(path))


def parse_settings(content: Mapping[str, Any], where: str) -> Settings:
    """Check what a TOML file holds.

    Raises
    ------
    InputError
        If a key is unknown, or a value is of the wrong kind.
    """
    _refuse_unknown(content, Settings, where)
    rules = content.get("rules", [])
    if not isinstance(rules, list):
        raise InputError(f"`rules` must be written as [[rules]] in {where}; got one table.")
    return Settings(
        classes=_names(content.get("classes", ()), "classes"),
        abstain=_names(content.get("abstain", ()), "abstain"),
        columns=_built(Columns, content.get("columns", {}), f"[columns] of {where}"),
        rules=tuple(
            _rule(rule, f"rule {place} of {where}") for place, rule in enumerate(rules, start=1)
        ),
        model=_built(ModelText, content.get("model", {}), f"[model] of {where}"),
    )


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"cannot read {str(path)!r}: there is no such file. Correct --config.")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as reason:
        raise InputError(f"{str(path)!r} must be TOML; it isn't: {reason}.") from None


def _refuse_unknown(content: Any, kind: type[Any], where: str) -> None:
    if not isinstance(content, Mapping):
        raise InputError(f"{where} must be a table of keys; got {content!r}.")
    known = [one.name for one in fields(kind)]
    for name in content:
        if name not in known:
            raise InputError(f"{where} has an unknown key {name!r}. {nearest(name, known)}")


def _built(kind: type[Any], content: Any, where: str) -> Any:
    """A dataclass from a table, each value of the kind that its field wants."""
    _refuse_unknown(content, kind, where)
    wanted = {one.name: str(one.type) for one in fields(kind)}
    values = {}
    for name, value in content.items():
        if wanted[name].startswith("tuple"):
            values[name] = _names(value, name)
        elif value is None or _fits(value, wanted[name]):
            values[name] = value
        else:
            what = "a whole number" if "int" in wanted[name] else "a number"
            what = "a string" if "str" in wanted[name] else what
            raise InputError(f"`{name}` must be {what} in {where}; got {value!r}.")
    return kind(**values)


def _fits(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, str if "str" in wanted else int if "int" in wanted else int | float)


def _names(value: Any, name: str) -> tuple[str, ...]:
    listed = value if isinstance(value, list | tuple) else [value]
    for one in listed:
        if isinstance(one, bool) or not isinstance(one, str | int):
            raise InputError(f"`{name}` must be a name or a list of names; got {one!r}.")
    return tuple(str(one) for one in listed)


def _rule(content: Any, where: str) -> RuleText:
    _refuse_unknown(content, RuleText, where)
    for name in ("name", "label", "column"):
        if name not in content:
            raise InputError(f"`{name}` must be given in {where}; it isn't. Add it.")
    rule: RuleText = _built(RuleText, content, where)
    ways = [bool(rule.keywords), rule.regex is not None, (rule.above, rule.below) != (None, None)]
    if sum(ways) != 1:
        raise InputError(
            f"Rule {rule.name!r} must look at its column in one way: keywords, regex, or above "
            f"and below; got {sum(ways)} of these in {where}."
        )
    return rule


def _checked(settings: Settings, where: str) -> Settings:
    model = settings.model
    for name, value, allowed in (
        ("estimator", model.estimator, ESTIMATORS),
        ("objective", model.objective, OBJECTIVES),
    ):
        if value not in allowed:
            raise InputError(
                f"`{name}` must be one of {', '.join(allowed)}; got {value!r} in {where}."
            )
    if not 0 <= model.seed < 2**32:
        raise InputError(f"`seed` must lie in [0, 2**32); got {model.seed}.")
    columns = settings.columns
    if not (columns.text or columns.numeric or columns.categorical):
        raise InputError(
            "`fit` must be told what to learn from; no column is named. Name some with --text, "
            "--numeric or --categorical, or under [columns] in the TOML file."
        )
    said = (columns.sources, columns.candidates, columns.gold, columns.label, settings.rules)
    if not any(said):
        raise InputError(
            "`fit` must be told what is known about the labels; nothing is. Name columns with "
            "--sources, --candidates, --gold or --label, or write [[rules]] in the TOML file."
        )
    return settings
