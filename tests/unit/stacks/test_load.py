from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alight.errors import AlightError
from alight.stacks.load import find, load, parse

HERE = Path("/app/template.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!Ref X", {"Ref": "X"}),
        ("!GetAtt X.Arn", {"Fn::GetAtt": ["X", "Arn"]}),
        ("!GetAtt X.Outputs.Arn", {"Fn::GetAtt": ["X", "Outputs.Arn"]}),
        ("!GetAtt [X, Arn]", {"Fn::GetAtt": ["X", "Arn"]}),
        ("!Condition X", {"Condition": "X"}),
        ("!Sub '${A}-b'", {"Fn::Sub": "${A}-b"}),
        ("!Sub ['${A}', {A: !Ref B}]", {"Fn::Sub": ["${A}", {"A": {"Ref": "B"}}]}),
        ("!If [C, !Ref A, !Ref B]", {"Fn::If": ["C", {"Ref": "A"}, {"Ref": "B"}]}),
        ("!Base64 {'Fn::Sub': x}", {"Fn::Base64": {"Fn::Sub": "x"}}),
        ("!Join ['', [a, !Split [',', 'b,c']]]", {"Fn::Join": ["", ["a", {"Fn::Split": [",", "b,c"]}]]}),
    ],
)
def test_short_tags_are_long_functions(text: str, value: Any) -> None:
    assert parse(f"K: {text}", HERE).body == {"K": value}


def test_dates_of_policies_stay_text_and_octals_are_not_made_of_names() -> None:
    assert parse("Version: 2012-10-17\nOn: yes\n2010-09-09: x", HERE).body == {
        "Version": "2012-10-17",
        "On": True,
        "2010-09-09": "x",
    }


def test_every_node_has_its_line() -> None:
    template = parse("A:\n  B:\n    - x\n    - C: !Sub\n        - y\n        - D: z\n", HERE)
    assert template.line("A") == 1
    assert template.line("A", "B", 1) == 4
    assert template.line("A", "B", 1, "C", "Fn::Sub", 1, "D") == 6
    assert template.line("A", "B", 7, "nowhere") == 2


def test_of_two_equal_keys_the_last_wins_with_a_warning() -> None:
    template = parse("A:\n  X: 1\n  Y: {Deep: 1}\nA:\n  Y: 2\n", HERE)
    assert template.body == {"A": {"Y": 2}}
    assert template.warnings == (f"{HERE}:4: A stands twice; this one replaces line 1.",)
    assert template.line("A", "Y") == 5
    assert not template.has("A", "X")


def test_anchors_and_merges_are_followed_without_a_warning() -> None:
    template = parse("D: &d {T: 1, U: 2}\nF:\n  <<: *d\n  T: 3\nG: *d\n", HERE)
    assert template.body == {"D": {"T": 1, "U": 2}, "F": {"T": 3, "U": 2}, "G": {"T": 1, "U": 2}}
    assert template.warnings == ()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("A: 1\nB: [", 2, "expected the node content"),
        ("A: 1\nB: !Nope x", 2, "!Nope"),
        ("A: !!python/name:os.system x", 1, "could not determine a constructor"),
        ("A: &a\n  B: *a", 1, "repeats itself"),
        ("A:\n\tB: 1", 2, "cannot start any token"),
        ("? [x]\n: 1", 1, "must be plain text"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(AlightError, match=words) as told:
        parse(text, HERE)
    assert told.value.message.startswith(f"{HERE}:{line}: ")


def test_an_anchor_that_multiplies_is_stopped() -> None:
    lines = ["A0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"A{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(AlightError, match="repeats itself"):
        parse("\n".join(lines), HERE)


def test_a_list_is_not_a_template() -> None:
    with pytest.raises(AlightError, match="a mapping"):
        parse("- a", HERE)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values, max_size=5), st.sampled_from([None, 1, "\t"]))
def test_json_is_read_as_json(body: dict[str, Any], indent: Any) -> None:
    assert parse(json.dumps(body, indent=indent), HERE).body == body


def test_a_folder_means_the_template_in_it(tmp_path: Path) -> None:
    with pytest.raises(AlightError, match="No template in"):
        find(tmp_path)
    (tmp_path / "template.json").write_text('{"Resources": {}}')
    assert load(tmp_path).path == (tmp_path / "template.json").resolve()
    with pytest.raises(AlightError, match="No such template"):
        find(tmp_path / "other.yaml")
