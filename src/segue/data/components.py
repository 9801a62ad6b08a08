"""Connected components: whatever hangs together stays together."""

from __future__ import annotations

from collections.abc import Iterable


def components(links: Iterable[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Of the names that occur in links; each component sorted, and the components by their first name."""
    parent: dict[str, str] = {}

    def top(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for one, other in links:
        a, b = top(one), top(other)
        parent[max(a, b)] = min(a, b)
    members: dict[str, list[str]] = {}
    for name in parent:
        members.setdefault(top(name), []).append(name)
    return sorted(tuple(sorted(names)) for names in members.values())
