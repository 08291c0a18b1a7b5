"""The manifest is valid and every name in it exists; napari drops an invalid one without a word."""

from __future__ import annotations

from pathlib import Path

from napari._app_model.constants._menus import is_menu_contributable
from npe2 import PluginManifest

import napari_celltype

MANIFEST = Path(napari_celltype.__file__).parent / "napari.yaml"


def test_every_command_of_the_manifest_can_be_imported():
    manifest = PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    assert "Recording" in {widget.display_name for widget in manifest.contributions.widgets}


def test_menu_entries_go_to_menus_napari_opens_to_plugins_and_need_no_icon_from_the_network():
    contributions = PluginManifest.from_file(MANIFEST).contributions
    assert contributions.menus
    assert all(is_menu_contributable(menu) for menu in contributions.menus)
    assert not any(command.icon for command in contributions.commands)


def test_the_link_at_the_root_leads_to_the_manifest_in_the_package():
    root = Path(__file__).resolve().parents[2] / "napari.yaml"
    assert root.read_bytes() == MANIFEST.read_bytes()


def test_generic_suffixes_are_offered_and_foreign_ones_left_alone():
    readers = PluginManifest.from_file(MANIFEST).contributions.readers
    patterns = {pattern for reader in readers for pattern in reader.filename_patterns}
    assert {"*.abf", "*.nwb", "*.swc", "*.swc.gz"} <= patterns
    assert not patterns & {"*", "*.*", "*.tif", "*.csv", "*.npy"}
