"""For mkdocs: what pages link to elsewhere in the repository comes into the site, as the file it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ELSEWHERE = re.compile(r"\]\(\.\./([^)#]+)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the files that pages link to by `../`, under `repository/`; one that isn't there fails a strict build."""
    root = Path(config.config_file_path).parent
    for page in list(files.documentation_pages()):
        for target in ELSEWHERE.findall(page.content_string):
            address = _address(target)
            if (root / target).is_file() and files.get_file_from_path(address) is None:
                files.append(File.generated(config, address, content=(root / target).read_bytes()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:  # noqa: ANN401  # what mkdocs also tells, and nobody needs
    """Point these links at the copies."""
    return ELSEWHERE.sub(lambda link: f"]({_address(link[1])}", markdown)


def _address(target: str) -> str:
    """Where a file goes. Markdown keeps its text, as nothing but docs/ is made into pages."""
    return f"repository/{target}" + (".txt" if target.endswith(".md") else "")
