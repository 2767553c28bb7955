"""What a container answers is read or refused, whatever it is."""

import json

import pytest

from pycomfy.adapters.containers.node_definitions import parse_answer
from pycomfy.core.versions.verification import ImportFailure, Remark


def test_texts_of_an_answer_are_texts_whatever_was_sent() -> None:
    answer = {
        "object_info": {},
        "import_failures": [{"pack": 1, "message": None, "traceback": ["x"]}],
        "remarks": [{"pack": {}, "text": 2.5}],
    }
    found = parse_answer(answer)
    assert found.failures == (ImportFailure("1", "None", "['x']"),) and found.remarks == (Remark("{}", "2.5"),)


@pytest.mark.parametrize("definitions", ["[]", "1", '{"A": ' + "[" * 300 + "]" * 300 + "}"])
def test_other_definitions_are_refused(definitions: str) -> None:
    with pytest.raises(ValueError, match="no node definitions"):
        parse_answer(json.loads(f'{{"object_info": {definitions}, "import_failures": []}}'))
