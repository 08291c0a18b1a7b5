"""``napari-celltype models``: which models there are, and the card of one."""

from __future__ import annotations

import argparse
import json


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("models", help="list the models, show the card of one, or check them")
    parser.add_argument("name", nargs="?", help="show this model's card")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--check", action="store_true", help="verify every file and run every self-test")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the list or a card; with --check, 1 if a model is not as published."""
    from napari_celltype.models.catalogue import list_models, load_model

    if arguments.name:
        print(load_model(arguments.name).card)
        return 0
    if arguments.check:
        return _check()
    table = list_models()
    if arguments.json:
        print(json.dumps(table.to_dict("records"), indent=1))
    else:
        table["classes"] = [", ".join(classes) for classes in table["classes"]]
        print(table.to_string(index=False) if len(table) else "No models are here.")
    return 0


def _check(tolerance: float = 1e-4) -> int:
    from napari_celltype.errors import ModelError
    from napari_celltype.models.catalogue import load_model, model_infos

    bad = 0
    for info in model_infos():
        try:
            gap = load_model(info.folder).self_test()
            text = f"differs by {gap:.1e}" + ("" if gap <= tolerance else ", TOO MUCH")
            bad += gap > tolerance
        except ModelError as error:
            text, bad = f"FAILED. {error}", bad + 1
        print(f"{info.name} {info.version}: {text}")
    return int(bad > 0)
