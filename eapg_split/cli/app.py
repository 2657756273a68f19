"""The commands of `eapg-split`. Each one imports what it needs when it runs, so that `--help` is instant."""

from pathlib import Path
from typing import Annotated

import typer

from eapg_split.cli.calibrate import calibrate
from eapg_split.cli.certs import certs_app
from eapg_split.cli.emulate import emulate
from eapg_split.cli.exits import guarded
from eapg_split.cli.generate import generate
from eapg_split.cli.jobs import attach, cancel, jobs
from eapg_split.cli.plan import plan
from eapg_split.cli.replay import replay
from eapg_split.cli.simulate import simulate
from eapg_split.cli.sweep import sweep

app = typer.Typer(
    help="Text to video, split step by step across a device, an edge and a cloud node.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
policy_app = typer.Typer(help="Policies decide which node runs which steps.")
codec_app = typer.Typer(help="Codecs put what crosses a cut on the wire.")

app.command()(generate)
app.command()(plan)
app.command()(simulate)
app.command()(emulate)
app.command()(sweep)
app.command()(replay)
app.command()(calibrate)
app.command()(jobs)
app.command()(attach)
app.command()(cancel)
app.add_typer(policy_app, name="policy")
app.add_typer(codec_app, name="codec")
app.add_typer(certs_app, name="certs")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"eapg-split {version('eapg-split')}")
        except PackageNotFoundError:
            typer.echo("eapg-split, run from its sources without an install")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", envvar="EAPG_SPLIT_CONFIG", help="TOML with a table of flags for each command."
        ),
    ] = None,
) -> None:
    """Text to video, split step by step across a device, an edge and a cloud node."""
    del version
    if config is not None:
        with guarded():
            from typer.core import TyperGroup

            from eapg_split.cli.defaults import defaults_from

            assert isinstance(context.command, TyperGroup)
            context.default_map = defaults_from(config, context.command)


@app.command()
def report(
    log: Annotated[Path, typer.Argument(metavar="RUN.jsonl", help="What 'generate --log' wrote.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to put the page.")
    ] = Path("report.html"),
) -> None:
    """Make one self-contained page of a run's log (needs the extra "plots")."""
    with guarded():
        from eapg_split.cli.report_page import write_report

        write_report(log, output)
        typer.echo(str(output))


@app.command()
def nodes(
    listed: Annotated[
        Path | None, typer.Option("--nodes", metavar="FILE", help="TOML file that lists running nodes.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print one table and end.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON list instead, one a line every interval.")
    ] = False,
    interval: Annotated[
        float, typer.Option(min=0.1, max=60.0, metavar="SECONDS", help="How often nodes tell how they are.")
    ] = 1.0,
) -> None:
    """Show how nodes are: load, battery, heat, clock, queue, and what they saw of their links."""
    with guarded():
        from eapg_split.cli.nodes import NodesOptions, show_nodes

        show_nodes(NodesOptions(listed, once, as_json, interval))


@app.command()
def health(
    address: Annotated[
        str, typer.Argument(metavar="[HOST:PORT]", help="One daemon; without it, every one that FILE lists.")
    ] = "",
    listed: Annotated[
        Path | None,
        typer.Option("--nodes", metavar="FILE", help="TOML file that lists running nodes, or has TLS files."),
    ] = None,
    service: Annotated[
        str, typer.Option(metavar="NAME", help="One gRPC service instead of the daemon as a whole.")
    ] = "",
) -> None:
    """Ask daemons whether they serve; ends with 0 where all do, 1 where one does not, 5 where one is not reached."""
    with guarded():
        from eapg_split.cli.health import check_health

        if not check_health(address, listed, service):
            raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """Say what is installed, which engines and accelerators were found, and what is missing for what."""
    with guarded():
        from eapg_split.cli.doctor import examine, render

        findings = examine()
        typer.echo(render(findings))
        if any(finding.needed and not finding.fine for finding in findings):
            raise typer.Exit(1)


@app.command()
def profile(
    engine: Annotated[
        str, typer.Option(metavar="KIND", help="onnx, torch, or module:callable of your own.")
    ] = "onnx",
    threads: Annotated[int, typer.Option(min=0, help="Threads of the engine; 0 lets it choose.")] = 0,
    weights: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The weights to measure, instead of the shipped ones.")
    ] = None,
    node: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Keep it for this node only, not for all of this machine."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Measure on smaller clips: seconds instead of a minute.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was measured as JSON.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Keep it there instead.")
    ] = None,
    telemetry: Annotated[
        str, typer.Option(metavar="KIND", help="Where clock and power are read, as a daemon's --telemetry.")
    ] = "auto",
) -> None:
    """Measure what the steps cost this machine, so that plans are made by more than a guess."""
    with guarded():
        from eapg_split.cli.flags import check_engine
        from eapg_split.cli.profile import ProfileFlags, run_profile

        check_engine(engine)
        found = run_profile(ProfileFlags(engine, threads, weights, node, quick, output, telemetry))
        typer.echo(found.to_json() if as_json else found.text())


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
def train(context: typer.Context) -> None:
    """Train the networks (needs the extra "train"); `eapg-split train --help` lists its flags."""
    with guarded():
        from eapg_split.cli.train import run_training

        code = run_training(context.args)
        if code:
            raise typer.Exit(code)


@policy_app.command("list")
def list_policies(
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON list, for programs.")] = False,
) -> None:
    """List the policies that `--policy` knows by name, with where they come from."""
    with guarded():
        from eapg_split.cli.policies import policies_json, policy_lines

        typer.echo(policies_json() if as_json else "\n".join(policy_lines()))


@policy_app.command("check")
def check_policy(
    name: Annotated[str, typer.Argument(metavar="POLICY", help="A name, module:Class or a path of a file.")],
    views: Annotated[int, typer.Option(min=1, max=10_000, help="How many random situations to try.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Which random situations.")] = 0,
    max_regret: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="SHARE", help="Fail when its plans are dearer than the best by more, in the mean."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON list, for programs.")] = False,
) -> None:
    """Check what every policy owes: legal plans, in time, whatever it is shown. Runs the policy's code."""
    with guarded():
        from eapg_split.cli.policies import check_lines

        text, holds = check_lines(name, views=views, seed=seed, max_regret=max_regret, as_json=as_json)
        typer.echo(text)
        if not holds:
            raise typer.Exit(1)


@policy_app.command("new")
def new_policy(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="For instance green-first; also the new folder's name.")
    ],
    level: Annotated[
        str, typer.Option(metavar="score|revise|plan", help="How much of the planning you write yourself.")
    ] = "score",
    folder: Annotated[Path, typer.Option(metavar="DIR", help="Where to put the new folder.")] = Path(),
) -> None:
    """Begin a policy of your own: an installable package with a test."""
    with guarded():
        from eapg_split.cli.policy_new import create_policy, level_named

        for path in create_policy(name, level_named(level), folder):
            typer.echo(str(path))


@codec_app.command("list")
def list_codecs() -> None:
    """List the codecs that `--codec` knows by name."""
    with guarded():
        from eapg_split.cli.codecs import codec_lines

        for line in codec_lines():
            typer.echo(line)


@codec_app.command("calibrate")
def calibrate_codec(
    weights: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The weights to measure, instead of the shipped ones.")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="Threads of the engine; 0 lets it choose.")] = 0,
    scenes: Annotated[int, typer.Option(min=1, max=10, help="How many scenes to measure on.")] = 10,
) -> None:
    """Measure how coarsely states may be coded for a wanted quality, and put the table beside the weights."""
    with guarded():
        from eapg_split.cli.codecs import calibrate_weights

        calibrate_weights(weights, threads=threads, scenes=scenes)
