"""The commands: ``tinygrad-bp recipes · train · check · predict · draw · explain``."""

from __future__ import annotations

import errno
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from tinygrad_bp.errors import ArgumentError, TgError, missing_extra

try:
    import typer
    from rich.console import Console
    from rich.markup import escape
except ImportError as error:
    raise missing_extra(str(error.name), "train", "the command tinygrad-bp") from error

from tinygrad_bp import __version__
from tinygrad_bp.draw import draw as draw_graph
from tinygrad_bp.draw import explain as derive
from tinygrad_bp.draw.derivation import ENDINGS
from tinygrad_bp.draw.render import FORMATS, render
from tinygrad_bp.testing.grading.truth import NUMERICAL_LIMIT
from tinygrad_bp.train import check as checks
from tinygrad_bp.train import plots, run
from tinygrad_bp.train.build import example_loss
from tinygrad_bp.train.files import write_file
from tinygrad_bp.train.listing import show_table
from tinygrad_bp.train.predict import Prediction
from tinygrad_bp.train.predict import predict as predict_digit
from tinygrad_bp.train.progress import reporter
from tinygrad_bp.train.recipe import Recipe, load_recipe, recipe_names
from tinygrad_bp.train.stepping import write_page
from tinygrad_bp.train.tables import Scipy

_SHADES = " ░▒▓█"

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        Console().print(f"tinygrad-bp {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which it is.")
    ] = False,
) -> None:
    """Backpropagation that you can read, check and draw."""


DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder with the data files; else $TINYGRAD_BP_DATA, else they are fetched."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe, as optimizer.lr=0.05."),
]
Seed = Annotated[int | None, typer.Option(min=0, help="Everything random follows from it.")]


def _command(function: Callable[..., None]) -> Callable[..., None]:
    """Add a command, with our errors and Ctrl-C turned into a message and an exit status."""

    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except (TgError, MemoryError, OSError) as error:
            if getattr(error, "errno", None) == errno.EPIPE:
                raise  # nobody reads on, as after `| head`: typer ends the program
            code: int = getattr(error, "exit_code", 1)
            head = "[bold red]error:[/] " if code == 1 else ""
            console = Console(stderr=True)
            console.print(head + escape(_told(error)), highlight=False, soft_wrap=True)
            raise typer.Exit(code) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None

    return app.command()(command)


def _told(error: Exception) -> str:
    """What to print of an error: its message, or, where it is not one of ours, one like them."""
    if isinstance(error, TgError):
        return str(error)
    if isinstance(error, MemoryError):
        return (
            f"memory does not suffice. {error}\n"
            "Fix: a smaller network, or fewer samples in a batch."
        )
    what, why = getattr(error, "filename", None), getattr(error, "strerror", None) or error
    if what is not None:
        return f"{what}: {why}.\nFix: name a file or folder that can be read and written."
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the rest cannot go there either
    return f"the output cannot be written: {why}.\nFix: make room, or send it elsewhere."


def _say(line: str) -> None:
    Console().print(line, highlight=False, soft_wrap=True, markup=False)


def _load(name: str, settings: list[str] | None, seed: int | None = None) -> Recipe:
    """A recipe with the changes of the command line."""
    recipe = load_recipe(name)
    changes = [*(settings or []), *([] if seed is None else [f"seed={seed}"])]
    return recipe.override(changes) if changes else recipe


@_command
def recipes() -> None:
    """List the recipes that ship."""
    rows = []
    for name in recipe_names():
        recipe = load_recipe(name)
        widths = [shape[0] for _, kind, shape in recipe.network.shapes() if kind == "Linear"]
        sizes = "-".join(str(n) for n in (*recipe.network.input_shape, *widths))
        method = recipe.optimizer.method if isinstance(recipe.optimizer, Scipy) else None
        optimizer = method or recipe.optimizer.name
        rows.append((name, recipe.data.name, sizes, optimizer, escape(recipe.title)))
    columns = ("recipe", "data", "network", "optimizer", "what it is")
    show_table(Console(), columns, rows, words=True)


@_command
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a .toml file.")] = "digits",
    settings: Set = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the data.")] = None,
    seed: Seed = None,
    gradients: Annotated[
        Literal["autograd", "by-hand"], typer.Option(help="Where gradients come from.")
    ] = "autograd",
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; else runs/RECIPE-SEED.")] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Continue this run, bit for bit.")
    ] = None,
) -> None:
    """Train a recipe and leave a run folder: metrics, model, pictures, report, graph."""
    listening = reporter(Console())
    if resume is not None:
        if settings or epochs or seed is not None or out or recipe != "digits":
            raise typer.BadParameter(
                "a run is continued as it was begun: leave the recipe, --set, --epochs, --seed "
                "and --out away",
                param_hint="--resume",
            )
        folder, trainer = run.resume(resume, data_dir=data_dir, reporter=listening, say=_say)
    else:
        chosen = _load(recipe, settings, seed)
        if epochs is not None:
            chosen = chosen.with_epochs(epochs)
        folder, trainer = run.train(
            chosen,
            data_dir=data_dir,
            out=out,
            gradients=gradients,
            reporter=listening,
            say=_say,
        )
    row = trainer.rows[-1]
    where, accuracy = "test", row.test_accuracy
    if accuracy is None:
        where, accuracy = "training", row.train_accuracy
    console = Console()
    spent = f"{row.seconds:.1f} s of training"
    console.print(f"{where} accuracy [bold]{accuracy:.4f}[/] in {spent}", highlight=False)
    console.print(f"Everything is in {escape(str(folder.path))}/", highlight=False, soft_wrap=True)


@_command
def check(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a .toml file.")] = "digits",
    settings: Set = None,
    seed: Seed = None,
    data_dir: DataDir = None,
) -> None:
    """Hold autograd against the equations by hand and against numerical derivatives."""
    result = checks.check_recipe(_load(recipe, settings, seed), data_dir)
    console = Console()
    console.print(f"{recipe}: gradients in float64 on {result.data}", highlight=False)
    rows = []
    for name, shape, by_hand, numerical in result.parameters:
        passed = checks.ParameterCheck(name, shape, by_hand, numerical).passed
        row = (
            name,
            " x ".join(map(str, shape)),
            "-" if by_hand is None else f"{by_hand.value:.1e}",
            "" if by_hand is None else escape(by_hand.where),
            f"{numerical.value:.1e} ± {numerical.error:.0e}",
            escape(numerical.where),
            "[green]ok[/]" if passed else "[bold red]wrong[/]",
        )
        rows.append(row)
    show_table(console, ("parameter", "shape", "by hand", "at", "numerical", "at", ""), rows)
    console.print(
        "Each number is the largest difference from autograd, relative to the largest element "
        "of that parameter's gradient; ± is the error bar of the numerical derivative. Limits: "
        f"{checks.BY_HAND_LIMIT:.0e} by hand, {NUMERICAL_LIMIT:.0e} numerical.",
        style="dim",
    )
    for note in result.notes:
        console.print(escape(note), highlight=False, soft_wrap=True)
    if not result.passed:
        raise typer.Exit(1)


@_command
def predict(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    index: Annotated[int | None, typer.Option(help="A test sample; 0 by default.")] = None,
    image: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A picture of one digit in its place.")
    ] = None,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the answer as a picture too.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Show a digit, and what a trained network takes it for."""
    if index is not None and image is not None:
        raise typer.BadParameter("give --index or --image, not both", param_hint="--image")
    found = predict_digit(folder, index=index, image=image, data_dir=data_dir)
    console = Console()
    console.print(f"[bold]{escape(found.title)}[/]", highlight=False)
    console.print(_blocks(found, console.width), highlight=False, no_wrap=True)
    truth = "" if found.label is None else f"; it is {found.label}"
    console.print(f"The network says [bold]{found.answer}[/]{truth}.", highlight=False)
    if png is not None:
        title = f"{found.title}: the network says {found.answer}{truth}"
        write_file(png, plots.digit(found.picture, found.probabilities, found.names, title))


def _blocks(found: Prediction, columns: int) -> str:
    """The image in shades of grey, two characters for a pixel, beside bars of probability."""
    lines = [
        "".join(_SHADES[min(4, int(v * 5))] * 2 for v in row).rstrip() for row in found.picture
    ]
    width = 2 * found.picture.shape[1]
    best = int(found.probabilities.argmax())
    length = max(8, min(24, columns - width - 14))  # so that the whole fits beside it
    bars = []
    for k, (name, p) in enumerate(zip(found.names, found.probabilities, strict=True)):
        bar = "█" * round(length * min(max(float(p), 0.0), 1.0))
        bars.append(f"{name} {bar:<{length}} {p:6.1%}" + (" ◀" if k == best else ""))
    height = max(len(lines), len(bars))
    top = (height - len(bars)) // 2
    pairs = []
    for i in range(height):
        bar = bars[i - top] if 0 <= i - top < len(bars) else ""
        pairs.append(f"{lines[i] if i < len(lines) else '':<{width}}   {bar}".rstrip())
    return "\n".join(pairs)


@_command
def draw(
    what: Annotated[
        str, typer.Argument(metavar="RECIPE|RUN", help="A recipe, a .toml file, or a run folder.")
    ] = "digits",
    level: Annotated[
        Literal["operation", "module", "full"], typer.Option(help="What the boxes are.")
    ] = "operation",
    depth: Annotated[
        int | None, typer.Option(min=0, help="Modules within so many others become boxes.")
    ] = None,
    budget: Annotated[int, typer.Option(min=1, help="Fold what has more boxes than this.")] = 150,
    theme: Annotated[Literal["light", "dark"], typer.Option(help="Colours.")] = "light",
    legend: Annotated[bool, typer.Option("--legend", help="Say what the colours mean.")] = False,
    backward: Annotated[
        Literal["over", "alone"] | None,
        typer.Option(help="Lay the backward pass over the graph, or draw it alone."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Else RECIPE.svg; - prints."),
    ] = None,
    kind: Annotated[
        Literal["svg", "png", "pdf", "dot", "mmd", "txt"] | None,
        typer.Option("--format", help="The ending of FILE; mmd is Mermaid; txt is printed."),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Write a page that steps through both passes."),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Draw the graph of one training step, from the samples to the loss."""
    if page is not None:
        write_page(what, page, data_dir)
        _say(f"{page} is written.")
        if output is None and kind is None:
            return
    recipe = run.RunFolder.open(what).recipe if Path(what).is_dir() else load_recipe(what)
    path, ending = _picture_file(recipe.name, output, kind)
    loss = example_loss(recipe)
    picture = draw_graph(
        loss,
        level=level,
        depth=depth,
        budget=budget,
        theme=theme,
        legend=legend,
        backward=backward,
        lines=False,  # a recipe has none
    )
    if path is None:
        sys.stdout.buffer.write(render(picture, ending))
        sys.stdout.buffer.flush()
    elif run.write_picture(picture, path, _say):
        _say(f"{path} is written.")


def _picture_file(name: str, output: Path | None, kind: str | None) -> tuple[Path | None, str]:
    """Where a picture goes, None for the terminal, and its format."""
    if str(output) == "-" or (output is None and kind == "txt"):
        return None, kind or "txt"
    path = output or Path(f"{name}.{kind or 'svg'}")
    ending = path.suffix.removeprefix(".").lower()
    allowed = (kind,) if kind else FORMATS
    if ending not in allowed:
        raise ArgumentError(
            f"a picture cannot be written as {path.name!r}.\n"
            f"Fix: a name that ends in {', '.join(f'.{end}' for end in allowed)}."
        )
    return path, ending


@_command
def explain(
    what: Annotated[
        str, typer.Argument(metavar="RECIPE|RUN", help="A recipe, a .toml file, or a run folder.")
    ] = "digits",
    kind: Annotated[
        Literal["text", "markdown", "latex", "html"] | None,
        typer.Option("--format", help="Text, unless the name of FILE says otherwise."),
    ] = None,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="Put values beside the symbols.")
    ] = False,
    notation: Annotated[
        Literal["bars", "derivatives"], typer.Option(help="How cotangents are written.")
    ] = "bars",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help=".txt, .md, .tex or .html; else it is printed."
        ),
    ] = None,
) -> None:
    """Derive the gradients of one training step on paper: the equations of backpropagation."""
    if output is not None and kind is None and output.suffix not in ENDINGS:
        raise ArgumentError(
            f"a derivation cannot be written as {output.name!r}.\n"
            f"Fix: a name that ends in {', '.join(ENDINGS)}, or say --format."
        )
    if Path(what).is_dir():
        folder = run.RunFolder.open(what)
        loss = example_loss(folder.recipe, run.load_model(folder)[0])
    else:
        loss = example_loss(load_recipe(what))
    derivation = derive(loss, numbers=numbers, notation=notation)
    ending = "" if output is None else output.suffix
    content = getattr(derivation, kind or ENDINGS.get(ending, "text"))().encode()
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_file(output, content)
        _say(f"{output} is written.")
