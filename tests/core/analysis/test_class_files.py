from pycomfy.core.analysis.class_files import find_class_files

FILES = {
    "__init__.py": """CONFIG = {"Fast": {"class": FastNode, "name": "x"}, 'Slow': slow.SlowNode, "Own": Own}""",
    "nodes/fast.py": "class FastNode:\n    pass\n",
    "nodes/slow.py": "if True:\n    class SlowNode(object):\n        pass\n",
    "nodes/own.py": "class Own: pass\nclass FastNodeTwo: pass\n",
    "readme.md": "class Lost",
}


def test_the_file_of_a_types_class_is_found_by_the_packs_own_table_and_by_name() -> None:
    assert find_class_files(FILES, "Fast") == {"nodes/fast.py"}
    assert find_class_files(FILES, "Slow") == {"nodes/slow.py"}
    assert find_class_files(FILES, "Own") == {"nodes/own.py"}
    assert find_class_files(FILES, "Lost") == find_class_files(FILES, "Fas.") == frozenset()


def test_a_hostile_source_is_read_in_time() -> None:
    """These took hours: empty lines were read again from each of them, and every file for each name in a table."""
    table = "\n".join(f"'Type': Name{i}" for i in range(100_000))
    assert find_class_files({"a.py": "\n" * 2_000_000, "b.py": table, "c.py": "class Name7: pass"}, "Type") == {"c.py"}
