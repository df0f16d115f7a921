"""Items round-trip through parquet; bad files get one clear line; files are complete or absent."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_align.data.items import read_items, write_items
from rl_align.data.quarantine import Dropped, Quarantine
from rl_align.errors import UserError
from rl_align.schema import Behaviour, Citation, ImageRef, Item, RiskModality

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ITEMS = st.builds(
    Item,
    id=TEXT,
    images=st.lists(st.builds(ImageRef, data=st.binary(max_size=30)), max_size=3).map(tuple),
    prompt=TEXT,
    dataset=TEXT,
    split=TEXT,
    expected=st.lists(st.sampled_from(Behaviour), max_size=3).map(tuple),
    citations=st.lists(st.builds(Citation, policy=TEXT, rule=st.none() | st.integers(0, 99), known=st.booleans()), max_size=3).map(
        tuple
    ),
    harmful=st.none() | st.booleans(),
    modality=st.sampled_from(RiskModality),
    reference=st.none() | TEXT,
    twin=st.none() | TEXT,
    category=st.none() | TEXT,
    licence=TEXT,
    provenance=TEXT,
    truth=st.dictionaries(TEXT, JSON, max_size=3),
)


def item(key: str = "a", **fields) -> Item:
    return Item(id=key, images=(), prompt="What is this?", dataset="d", split="train", **fields)


@settings(deadline=None, max_examples=40)
@given(items=st.lists(ITEMS, min_size=1, max_size=4, unique_by=lambda item: item.id))
def test_every_field_round_trips(tmp_path_factory, items):
    path = tmp_path_factory.mktemp("items") / "items.parquet"
    assert write_items(path, items) == len(items)
    assert read_items(path) == items


def test_same_items_give_same_bytes_and_order_is_kept_over_row_groups(tmp_path):
    items = [item(str(number), truth={"number": number}) for number in range(1200)]
    write_items(tmp_path / "a.parquet", items)
    write_items(tmp_path / "b.parquet", iter(items))
    assert read_items(tmp_path / "a.parquet") == items
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_image_by_path_becomes_bytes(tmp_path):
    (tmp_path / "x.png").write_bytes(b"picture")
    path_item = Item(id="a", images=(ImageRef(path=str(tmp_path / "x.png")),), prompt="p", dataset="d", split="s")
    write_items(tmp_path / "items.parquet", [path_item])
    assert read_items(tmp_path / "items.parquet")[0].images == (ImageRef(data=b"picture"),)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "no items"),
        ([item("a"), item("a")], "'a' occurs twice"),
        ([item(truth={"x": object()})], "truth is not JSON"),
        ([item(truth={"x": float("nan")})], "truth is not JSON"),
        ([item(reference="\ud800")], "not Unicode"),
        ([Item(id="a", images=(ImageRef(path="/nowhere.png"),), prompt="", dataset="", split="")], "item 'a'"),
    ],
)
def test_items_that_cannot_be_written_leave_the_old_file(tmp_path, items, message):
    path = tmp_path / "items.parquet"
    write_items(path, [item("old")])
    with pytest.raises(UserError, match=message):
        write_items(path, items)
    assert [item.id for item in read_items(path)] == ["old"]
    assert list(tmp_path.iterdir()) == [path]


def _rewritten(path, change):
    table = pq.read_table(path)
    pq.write_table(change(table), path)


def _set(table: pa.Table, column: str, values: list) -> pa.Table:
    index = table.schema.get_field_index(column)
    return table.set_column(index, table.schema.field(column), pa.array(values, table.schema.field(column).type))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns(["twin", "truth"]), "missing columns twin, truth"),
        (lambda t: t.replace_schema_metadata({"rl_align.items": "999"}), "version 999.*expected version 2"),
        (lambda t: t.replace_schema_metadata(None), "no item schema version"),
        (lambda t: t.slice(0, 0), "empty dataset"),
        (lambda t: _set(t, "modality", ["none", "smell"]), "row 1: bad value .*smell"),
        (lambda t: _set(t, "truth", ["{}", "{"]), "row 1: bad value"),
        (lambda t: _set(t, "id", ["a", "a"]), "row 1: item id 'a' occurs twice"),
        (
            lambda t: t.set_column(0, pa.field("id", pa.list_(pa.int8())), pa.array([[1], [2]], pa.list_(pa.int8()))),
            "not a readable parquet file of items",
        ),
    ],
)
def test_wrong_files_are_named_with_what_is_wrong(tmp_path, change, message):
    path = tmp_path / "items.parquet"
    write_items(path, [item("a"), item("b")])
    _rewritten(path, change)
    with pytest.raises(UserError, match=message) as caught:
        read_items(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_columns_of_a_wider_writer_are_read(tmp_path):
    path = tmp_path / "items.parquet"
    write_items(path, [item("a")])
    _rewritten(path, lambda t: t.set_column(0, pa.field("id", pa.large_string()), pa.array(["a"], pa.large_string())))
    assert read_items(path) == [item("a")]


def test_missing_foreign_and_damaged_files(tmp_path):
    path = tmp_path / "items.parquet"
    with pytest.raises(UserError, match="no such file"):
        read_items(path)
    with pytest.raises(UserError, match="is a folder"):
        read_items(tmp_path)
    path.write_text("id,prompt\n1,hello\n")
    with pytest.raises(UserError, match="not a readable parquet file"):
        read_items(path)
    path.write_bytes(b"")
    with pytest.raises(UserError, match="not a readable parquet file"):
        read_items(path)
    write_items(path, [item(str(number)) for number in range(50)])
    whole = path.read_bytes()
    for cut in (len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(UserError, match="not a readable parquet file"):
            read_items(path)
    path.write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[len(whole) // 2 + 4 :])
    with pytest.raises(UserError, match="not a readable parquet file"):
        read_items(path)


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(tmp_path):
    code = f"""
import os, resource
from rl_align.data.items import write_items
from rl_align.errors import UserError
from rl_align.schema import ImageRef, Item
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
item = Item(id="a", images=(ImageRef(data=os.urandom(100_000)),), prompt="p", dataset="d", split="s")
try:
    write_items({str(tmp_path / "items.parquet")!r}, [item])
except UserError as error:
    print(error)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "cannot be written" in out.stdout and out.returncode == 0, out.stderr
    assert list(tmp_path.iterdir()) == []


def test_unwritable_places(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_items(tmp_path / "file" / "items.parquet", [item()])
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        write_items(tmp_path / "folder", [item()])


def test_quarantine_counts_and_writes_what_was_dropped(tmp_path):
    quarantine = Quarantine(tmp_path / "q" / "dropped.jsonl")
    assert quarantine.summary() == "nothing dropped"
    stream = [item("a"), Dropped("b", "too_long", "900 tokens"), item("c"), Dropped("d", "too_long")]
    assert [i.id for i in quarantine.sift(stream)] == ["a", "c"]
    quarantine.drop("e", "broken", "\ud800" + "x" * 10_000)
    assert quarantine.counts == {"too_long": 2, "broken": 1}
    assert quarantine.summary() == "3 dropped: 2 too_long, 1 broken"
    quarantine.save()
    lines = (tmp_path / "q" / "dropped.jsonl").read_text().splitlines()
    assert lines[0] == '{"item": "b", "reason": "too_long", "detail": "900 tokens"}'
    assert len(lines) == 3 and len(lines[2]) < 400
