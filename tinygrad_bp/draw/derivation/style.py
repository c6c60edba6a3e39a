"""The page around a derivation in HTML."""

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>TITLE</title>
<style>
:root { color-scheme: light dark; --ink: #1c1f24; --paper: #fff; --soft: #5b6470; --rule: #dfe3e8;
  --mark: #eef5fb; --edge: #2f7fb8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --paper: #16181c; --soft: #a3acb8;
  --rule: #343a43; --mark: #1d2a36; --edge: #6cb6e8; } }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 60rem; color: var(--ink);
  background: var(--paper); font: 17px/1.55 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; font-weight: 650; margin: 0 0 1rem; }
h2 { font-size: 1.15rem; font-weight: 650; margin: 2.2rem 0 .6rem; }
p { margin: .4rem 0 1rem; }
table { border-collapse: collapse; }
.lines { width: 100%; }
td, th { padding: .3rem .8rem .3rem 0; text-align: left; font-weight: 400;
  vertical-align: middle; }
.names th { white-space: nowrap; }
.names tr:first-child th { color: var(--soft); font-size: .85rem; }
.names td, .names th { border-bottom: 1px solid var(--rule); padding-right: 2rem; }
.lines td { padding: .45rem .8rem; border-bottom: 1px solid var(--rule); }
.lines td:first-child { width: 100%; max-width: 0; }
.equation { overflow-x: auto; overflow-y: hidden; }
.labelled { background: var(--mark); }
.labelled td:first-child { border-left: 4px solid var(--edge); }
.shape { color: var(--soft); font-size: .85rem; white-space: nowrap; text-align: right; }
.names .shape { text-align: left; }
.label { width: 3rem; text-align: right; font-weight: 650; color: var(--edge); }
.value { overflow-x: auto; overflow-y: hidden; color: var(--soft); margin-top: .3rem;
  font-size: .9rem; }
.note { color: var(--soft); font-size: .8rem; }
math { font-size: 1.12em; font-family: "Latin Modern Math", "STIX Two Math", "Cambria Math",
  "DejaVu Math TeX Gyre", math, serif; }
.equation math { display: block math; width: fit-content; margin: 0; padding: .15rem 0; }
code { font: .85em ui-monospace, "DejaVu Sans Mono", monospace; }
</style>
<body>
BODY
</body>
</html>
"""
