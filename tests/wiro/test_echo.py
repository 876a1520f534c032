"""However a server echoes a request's parameters, the key of the request comes out; of another's, it does not."""

from __future__ import annotations

import pytest

from flux_pipeline.ledger.keys import key_of
from flux_pipeline.manifest.schema import Schemas
from flux_pipeline.wiro.echo import Shape, keys_of
from flux_pipeline.wiro.tasks import Task

MODEL = "black-forest-labs/flux-2-pro-t2i"
KNOWN = Schemas().model(MODEL)
SHAPE = Shape(model=MODEL, types=KNOWN.types, defaults=KNOWN.defaults)
PARAMS = {
    "prompt": 'Tea & "biscuits"\nfor two, café',
    "width": 512,
    "height": 1024,
    "safetyTolerance": 2,
    "seed": 7,
    "outputFormat": "png",
}
KEY = key_of(MODEL, PARAMS)


def keys(params, model=None):
    return keys_of(Task(id="1", status="task_queue", params=params, model=model), [SHAPE])


@pytest.mark.parametrize(
    "echo",
    [
        PARAMS,
        {name: str(value) for name, value in PARAMS.items()},
        PARAMS | {"width": 512.0, "seed": "7.0"},
        {name: value for name, value in PARAMS.items() if name != "safetyTolerance"},
        PARAMS | {"safetyTolerance": "", "outputFormat": None},
        PARAMS | {"callbackUrl": "https://example.org", "projectid": "699", "samples": 1},
        PARAMS | {"prompt": PARAMS["prompt"].replace("\n", "\r\n")},
        PARAMS | {"prompt": PARAMS["prompt"].replace("é", "e\u0301")},
        PARAMS | {"prompt": f"  {PARAMS['prompt']}\n"},
        PARAMS | {"prompt": "Tea &amp; &quot;biscuits&quot;\nfor two, café"},
    ],
)
def test_an_echo_in_other_clothes_is_recognised(echo):
    assert KEY in keys(echo)


@pytest.mark.parametrize(
    "echo",
    [
        PARAMS | {"seed": 8},
        PARAMS | {"prompt": "Coffee"},
        PARAMS | {"width": 528},
        PARAMS | {"outputFormat": "jpeg"},
        {name: value for name, value in PARAMS.items() if name != "seed"},
        PARAMS | {"seed": "seven"},
        PARAMS | {"seed": True},
        PARAMS | {"prompt": ["Tea"]},
        PARAMS | {"width": "nan"},
        {},
        None,
    ],
)
def test_an_echo_of_something_else_is_not_taken_for_it(echo):
    assert KEY not in keys(echo)


def test_a_task_of_another_model_is_never_ours():
    assert keys(PARAMS, model="black-forest-labs/flux-2-flex-t2i") == frozenset()
    assert KEY in keys(PARAMS, model=MODEL)
