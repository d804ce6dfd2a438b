"""The ``nightschool`` command: each subcommand's module is imported when the subcommand is called."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import click

from learner.registry import AdapterError
from models.catalogue import ModelError
from models.engine import EngineError

COMMANDS = {
    "adapters": "learner.adapters_cli:adapters",
    "data": "learner.cli:data",
    "demo": "lsp_server.demo:demo",
    "doctor": "lsp_server.doctor:doctor",
    "model": "models.cli:model",
    "replay": "learner.replay.cli:replay_command",
    "report": "learner.report.cli:report",
    "schedule": "learner.schedule_cli:schedule",
    "serve": "lsp_server.cli:serve",
    "stats": "learner.stats_cli:stats",
    "status": "lsp_server.status:status",
    "train": "learner.train_cli:train",
}


class LazyGroup(click.Group):
    """Knows its subcommands by name alone: ``serve`` must answer before rich could be imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        return getattr(import_module(module), attribute)

    def invoke(self, ctx: click.Context) -> Any:
        """Turn what the program foresaw into one line on stderr and exit code 1."""
        try:
            return super().invoke(ctx)
        except (ModelError, EngineError, AdapterError) as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            raise click.ClickException(f"{error.filename or 'system'}: {error.strerror or error}") from None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nightschool", message="nightschool %(version)s")
def main() -> None:
    """Ghost-text code completion from a model on this machine."""


@click.command()
@click.option("--stdio", is_flag=True, help="Speak over stdin and stdout, which it does anyway.")
@click.option("--model", metavar="NAME|PATH", help="Complete from this model instead of the one in use.")
@click.option("--log-file", type=click.Path(dir_okay=False, path_type=Path), help="Write the log here.")
def serve(stdio: bool, model: str | None, log_file: Path | None) -> None:
    """Be a language server, as an editor starts it."""
    # Imported here: the other commands have no use for the server's imports.
    from lsp_server import process

    process.main(model, log_file)


if __name__ == "__main__":
    main()
