"""Write the pages of the documents that are made from the code: all options, all messages.

python -m tools.reference           writes docs/configuration.md and docs/messages.md
python -m tools.reference --check   exits with 1 where a page is not what the code says
"""

import argparse
import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coinsorter import errors
from coinsorter.config.schema import Config

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "coinsorter"
#: The remedy is behind this in every message.
REMEDY_MARK = "; "
_NOTE = re.compile(r"^(?P<indent>[ #]*)(?P<name>\w+):?\s.*?#\s(?P<note>.+)$")
_BIN_NOTE = re.compile(r"^#\s+(?P<name>\w+)\s{2,}(?P<note>.+)$")
CONFIGURATION_INTRODUCTION = """\
# Configuration

% Made by `python -m tools.reference` from the schema and config.yaml; do not edit it.

Everything that a technician sets is in `config.yaml`. Units end the names.
`coinsorter check` lists every mistake at once, each with its line:

```text
config.yaml:14: bins[2].flap.open_deg: 220 is above 180
```

The file is YAML 1.2, and nothing in it is guessed. A number that begins with a zero, has
a decimal comma or a unit, or is in quotes is refused, and the message says what to
write. `yes` and `no` are words: switches are `true` or `false`. A name is the text that
is written, such as `010`; one that looks like a number (`10`) has to be in quotes.
Only an address on a bus may be hexadecimal. Tags, a second document, an option that is
given twice and characters that cannot be seen are mistakes. The file may have 100 kB.

`systemctl reload coinsorter` takes over `acceptance` and the labels of the bins; all
other changes need a restart of the service. After a change of pins or of the servo
driver run `sudo make install` and reboot.
"""


# --- options -----------------------------------------------------------------------------------


def configuration_page() -> str:
    """docs/configuration.md: each option with its type, range, default and meaning."""
    notes = _notes_of_settings((ROOT / "config.yaml").read_text(encoding="utf-8"))
    schema = Config.model_json_schema(by_alias=True)
    lines = [CONFIGURATION_INTRODUCTION]
    for title, options in _sections(schema):
        lines += [
            f"## {title}",
            "",
            "| option | type | range | default | meaning |",
            "|---|---|---|---|---|",
        ]
        lines += [_describe_option(name, option, schema, notes) for name, option in options]
        lines.append("")
    return "\n".join(lines)


def _describe_option(
    name: str, option: dict[str, Any], schema: dict[str, Any], notes: dict[str, str]
) -> str:
    """An option's row of the table."""
    key = name.rsplit(".", 1)[-1]
    cells = [
        f"`{name}`",
        _type(option, schema),
        _range(option, schema),
        _default(option),
        _meaning(notes.get(name) or notes.get(key, "")),
    ]
    return "| " + " | ".join(cells) + " |"


def _sections(schema: dict[str, Any]) -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """Title and options of each section; nested ones have dotted names."""
    plain: list[tuple[str, dict[str, Any]]] = []
    for name, option in schema["properties"].items():
        target = _resolve(option, schema)
        if "properties" in target:
            yield name, list(_flatten(name, target, schema))
        elif target.get("type") == "array":
            yield name, list(_flatten(f"{name}[]", _resolve(target["items"], schema), schema))
        else:
            plain.append((name, option))
    if plain:
        yield "other options", plain


def _flatten(
    prefix: str, model: dict[str, Any], schema: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, option in model["properties"].items():
        target = _resolve(option, schema)
        if "properties" in target:
            yield from _flatten(f"{prefix}.{name}", target, schema)
        else:
            required = name in model.get("required", [])
            yield f"{prefix}.{name}", option | {"required": required}


def _resolve(option: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The model or type that an option refers to; of a choice with null, the other."""
    if "$ref" in option:
        return dict(schema["$defs"][option["$ref"].rsplit("/", 1)[-1]])
    if "allOf" in option:
        return _resolve(option["allOf"][0], schema)
    if "anyOf" in option:
        others = [choice for choice in option["anyOf"] if choice.get("type") != "null"]
        return _resolve(others[0], schema)
    return option


def _type(option: dict[str, Any], schema: dict[str, Any]) -> str:
    target = _resolve(option, schema)
    if "enum" in target:
        return "one of " + ", ".join(f"`{value}`" for value in target["enum"])
    kinds = {
        "integer": "whole number",
        "string": "text",
        "boolean": "true or false",
        "array": "list",
    }
    kind = str(target.get("type", "text"))
    return kinds.get(kind, kind)


def _range(option: dict[str, Any], schema: dict[str, Any]) -> str:
    target = _resolve(option, schema)
    low = target.get("minimum", target.get("exclusiveMinimum"))
    high = target.get("maximum", target.get("exclusiveMaximum"))
    if low is None and high is None:
        return ""
    return f"{_number(low)} to {_number(high)}"


def _number(value: float | None) -> str:
    return "..." if value is None else f"{value:g}"


def _default(option: dict[str, Any]) -> str:
    if option.get("required") or "default" not in option:
        return "required" if option.get("required") else ""
    value = option["default"]
    if value is None:
        return "`null`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _notes_of_settings(text: str) -> dict[str, str]:
    """The comment behind each option of config.yaml, by its name and by its dotted name."""
    notes: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        if match := re.match(r"^(\w+):", line):
            section = match[1]
        if match := _BIN_NOTE.match(line):
            notes[match["name"]] = match["note"]
        elif match := _NOTE.match(line):
            name = match["name"] if line.startswith(match["name"]) else f"{section}.{match['name']}"
            notes[name] = match["note"]
    return notes


def _meaning(note: str) -> str:
    """A comment without what the table's other columns say."""
    _, _, meaning = note.partition(": ")
    text = meaning or note
    return text.replace("|", r"\|")


# --- messages ----------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Message:
    """What a message says, what it tells a person to do, and the module that says it."""

    text: str
    remedy: str
    module: str


def messages_page() -> str:
    """docs/messages.md: every message of every error, with its remedy."""
    by_error = _messages_by_error()
    lines = [
        "# All messages",
        "",
        "% Made by `python -m tools.reference` from the code; do not edit it.",
        "",
        "Every message says what is wrong, where, and what to do. What stands in `{}` is filled in",
        "when it is printed. The module is where the message comes from.",
        "",
    ]
    for name in sorted(by_error):
        summary = (getattr(errors, name).__doc__ or "").strip().splitlines()[0]
        lines += [
            f"## {name}",
            "",
            summary,
            "",
            "| message | what to do | module |",
            "|---|---|---|",
        ]
        for message in sorted(by_error[name]):
            cells = (_cell(message.text), _cell(message.remedy), f"`{message.module}`")
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _messages_by_error() -> dict[str, set[Message]]:
    by_error: dict[str, set[Message]] = defaultdict(set)
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = str(path.relative_to(PACKAGE))
        for name, template in _raised(tree):
            text, _, remedy = template.partition(REMEDY_MARK)
            by_error[name].add(Message(text, remedy, module))
    return by_error


def _raised(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The class and the message of every error of ours that a module makes."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        texts = _local_texts(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                template = _template(node.args[0], texts)
                if _is_error(node.func.id) and re.search(r"[a-z]{3}", template):
                    yield node.func.id, template


def _is_error(name: str) -> bool:
    kind = getattr(errors, name, None)
    return isinstance(kind, type) and issubclass(kind, Exception)


def _local_texts(function: ast.FunctionDef) -> dict[str, str]:
    """Texts that a function has given a name."""
    texts: dict[str, str] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if isinstance(node.value, (ast.JoinedStr, ast.Constant)):
                texts[node.targets[0].id] = _template(node.value, texts)
    return texts


def _template(node: ast.expr, texts: dict[str, str]) -> str:
    """A text as it is written, with the names of what is filled in."""
    match node:
        case ast.Constant(value=str()):
            return str(node.value)
        case ast.JoinedStr():
            return "".join(_template(part, texts) for part in node.values)
        case ast.FormattedValue():
            return _template(node.value, texts)
        case ast.Name():
            return texts.get(node.id, "{" + node.id + "}")
        case ast.Attribute():
            return "{" + node.attr.strip("_") + "}"
        case ast.BinOp(op=ast.Add()):
            return _template(node.left, texts) + _template(node.right, texts)
        case _:
            return "{...}"


def _cell(text: str) -> str:
    """Text that a Markdown table shows as it is."""
    flat = " ".join(text.split())
    return flat.replace("|", r"\|").replace("<", r"\<").replace("*", r"\*").replace("$", r"\$")


# -----------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    options = parser.parse_args(arguments)
    pages = {"configuration.md": configuration_page(), "messages.md": messages_page()}
    stale = []
    for name, text in pages.items():
        path = ROOT / "docs" / name
        if options.check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        if not options.check:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"{', '.join(stale)}: not what the code says; run `python -m tools.reference`")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
