"""No test prints a document that is not held against its schema."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CHECKING = {"read", "printed"}
"""The functions of `tests.kits.documents` that hold what was printed against its schema."""
NOT_OURS = {"pulumi"}
"""Other programs that tests run and that know the same option."""
FLAG = "--" + "json"
Scope = ast.Module | ast.FunctionDef


def unchecked(source: str) -> list[str]:
    """Name the scopes that ask for a document and do not check what they get."""
    return [getattr(scope, "name", "the module") for scope in _asking(ast.parse(source))]


def _asking(module: ast.Module) -> Iterator[Scope]:
    functions = [n for n in ast.walk(module) if isinstance(n, ast.FunctionDef)]
    scopes: list[Scope] = [module, *functions]
    for scope in scopes:
        own = list(_own_nodes(scope))
        words = {n.value for n in own if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        asks = any(word == FLAG or f"'{FLAG}'" in word or f'"{FLAG}"' in word for word in words)
        # what a module holds (a program for another process) is run by one of its functions
        called = own if isinstance(scope, ast.FunctionDef) else list(ast.walk(scope))
        if asks and not words & NOT_OURS and not CHECKING & set(_calls(called)):
            yield scope


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """What stands in a scope, without what stands in a function inside of it."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, ast.FunctionDef):
            yield from _own_nodes(child)


def _calls(nodes: list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


@pytest.mark.parametrize("file", sorted(TESTS.rglob("*.py")), ids=lambda f: str(f.name))
def test_what_a_test_asks_for_as_json_is_read_by_the_kit(file):
    assert unchecked(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (f"def t():\n    main(['plan', '{FLAG}'])\n", ["t"]),
        (f"def t():\n    read('plan', run('{FLAG}'))\n", []),
        (f"CHILD = \"main(['{FLAG}'])\"\n", ["the module"]),
        (f"def t():\n    run('pulumi', 'preview', '{FLAG}')\n", []),
        (f"class A:\n    def t(self):\n        return self.run('{FLAG}')\n", ["t"]),
    ],
)
def test_the_test_above_can_fail(source, found):
    assert unchecked(source) == found
