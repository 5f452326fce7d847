"""Puts CommonJS modules of npm packages into one script that a browser can run, without a build tool."""

import json
import re
from pathlib import Path


def bundle(root: Path, **entries: str) -> str:
    """Return a script that loads ``entries``, packages below ``root`` or files in them, each by its name."""
    first = {
        name: _file(root / entry) if "/" in entry else _resolve(root, root, entry)
        for name, entry in entries.items()
    }
    files: dict[Path, str] = {}
    waiting = list(first.values())
    while waiting:
        path = waiting.pop()
        if path not in files:
            source, wanted = _read(root, path)
            files[path] = source
            waiting += wanted
    known = "\n".join(f"globalThis.{name} = load({json.dumps(str(path))});" for name, path in first.items())
    modules = ",\n".join(f"{json.dumps(str(path))}: {source}" for path, source in files.items())
    return f"""(() => {{
const files = {{{modules}}};
const loaded = {{}};
const process = {{ env: {{}} }};
function load(path) {{
  if (!loaded[path]) {{
    loaded[path] = {{ exports: {{}} }};
    files[path](loaded[path], loaded[path].exports, load, process);
  }}
  return loaded[path].exports;
}}
{known}
}})();"""


def _read(root: Path, path: Path) -> tuple[str, list[Path]]:
    """Return a file as a function of (module, exports, $load, process), and the files that it asks for."""
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        return f"(module) => {{ module.exports = {text}; }}", []
    names = dict.fromkeys(re.findall(r"""\brequire\(['"]([^'"]+)['"]\)""", text))
    found = {name: _resolve(root, path.parent, name) for name in names}
    table = json.dumps({name: str(file) for name, file in found.items()})
    body = f"const require = (name) => $load({table}[name]);\n{text}\n"
    return f"(module, exports, $load, process) => {{ {body} }}", list(found.values())


def _resolve(root: Path, folder: Path, name: str) -> Path:
    """Return the file that ``require(name)`` means in ``folder``, as a browser wants it."""
    if name.startswith("."):
        return _file((folder / name).resolve())
    package = root / name
    said = json.loads((package / "package.json").read_text("utf-8"))
    main = said.get("browser") if isinstance(said.get("browser"), str) else said.get("main", "index.js")
    return _file((package / main).resolve())


def _file(path: Path) -> Path:
    choices = [path, path.with_name(f"{path.name}.js"), path / "index.js"]
    return next(one for one in choices if one.is_file())
