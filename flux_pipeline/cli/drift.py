"""What the service now says of the models in use, held against their schemas."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flux_pipeline.cli import voice
from flux_pipeline.cli.prices import ask
from flux_pipeline.cli.project import Project
from flux_pipeline.cli.service import credentials_of, opened, refusal
from flux_pipeline.errors import FluxError, UsageError
from flux_pipeline.manifest.drift import Difference, compare
from flux_pipeline.report.controls import plain
from flux_pipeline.wiro.model_document import document
from flux_pipeline.wiro.offer import NotOffered, Offer
from flux_pipeline.wiro.outcomes import Unread

_ATTEMPTS = 2
_MODEL = "model"  # what is named where the difference is about the model as a whole


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference between the schema of a model and what the service says of it."""

    model: str
    difference: Difference


def drifted(project: Project, *, strict: bool) -> tuple[Drift, ...]:
    """Return every difference, each said on stderr; none where there are no credentials to ask with.

    Raises:
        FluxError: `strict`, and something differs (2), or the service did not tell (3, 6).
    """
    models = sorted(project.models())
    if not models or not (project.simulate or os.environ.get("WIRO_API_KEY")):
        return ()
    try:
        with opened(project.endpoint, credentials_of(project), remember=False) as access:
            offers = {model: _whole(told) for model, told in ask(access, models, attempts=_ATTEMPTS).items()}
    except UsageError as error:  # an unusable key or address: `plan` can do without
        if strict:
            raise
        voice.echo(f"note: the schemas were not compared with the service: {error}", err=True)
        return ()
    _say_unread(offers, strict=strict)
    found = tuple(Drift(model, one) for model, told in offers.items() for one in _differences(project, model, told))
    for one in found:
        voice.echo(f"warning: {one.model}: {plain(one.difference.message)}", err=True)
    if found and strict:
        raise UsageError(
            f"{len(found)} difference{'' if len(found) == 1 else 's'} between the schemas and the service, and --strict: nothing was planned. "
            f"`flux-pipeline schema pull {found[0].model} --force` writes what the service says"
        )
    return found


def _whole(told: Offer | Unread) -> Offer | Unread:
    if isinstance(told, Offer) and told.parameters is None:
        return Unread(reason="the service does not tell its parameters")
    return told


def _differences(project: Project, model: str, told: Offer | Unread) -> Iterator[Difference]:
    known = project.schemas.model(model)
    if isinstance(told, NotOffered):
        message = f"the service does not offer this model ({told.reason})"
        yield Difference(parameter=_MODEL, ours=model, theirs=None, message=message)
    elif isinstance(told, Offer) and known is not None:
        try:
            theirs = document(told)
        except UsageError as error:
            yield Difference(parameter=_MODEL, ours=model, theirs=None, message=str(error))
        else:
            yield from compare(known.document, theirs)


def _say_unread(offers: Mapping[str, Offer | Unread], *, strict: bool) -> None:
    unread = {model: told for model, told in offers.items() if isinstance(told, Unread)}
    silent = {model: told for model, told in unread.items() if not isinstance(told, NotOffered)}
    for model, told in silent.items():
        if strict:
            raise _undecided(model, told)
        others = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
        what = f"the schema of {model}{others} was not compared with the service"
        voice.echo(f"note: {what}: {plain(told.reason)}", err=True)
        return


def _undecided(model: str, told: Unread) -> FluxError:
    return refusal(told, f"the schema of {model} cannot be compared with the service, and --strict")
