import pytest

from pycomfy.core.capture.ignored_files import MAX_SETTINGS, is_settings, may_be_secret


@pytest.mark.parametrize(
    ("path", "size", "expected"),
    [
        ("pysssss.json", 10, True),
        ("user/hotkeys.yaml", 10, True),
        ("wildcards/animals.txt", 10, True),
        ("a/b/Config.INI", 10, True),
        ("settings.json", MAX_SETTINGS, True),
        ("settings.json", MAX_SETTINGS + 1, False),
        ("settings.json", 0, False),
        (".env", 10, False),
        (".cache/x.json", 10, False),
        ("node_modules/a/package.json", 10, False),
        ("tool.so", 10, False),
    ],
)
def test_small_texts_outside_of_caches_are_settings(path: str, size: int, expected: bool) -> None:
    assert is_settings(path, size) is expected


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("a/token.json", "{}", True),
        ("API-key.ini", "", True),
        ("keys.json", "{}", True),
        ("my_secrets.yaml", "", True),
        ("config.json", '{"openai_api_key": "sk-0123456789abcdef0123"}', True),
        ("config.json", '{"api_key": ""}', False),
        ("config.json", '{"apiKey": "your"}', False),
        ("notes.txt", "use hf_abcdefghijklmnopqrstuv here", True),
        ("config.ini", "password: hunter2", True),
        ("config.json", '{"Authorization": "Bearer abcdefghijkl"}', True),
        ("config.json", '{"secret_key": "abcdefghijkl"}', True),
        ("config.json", '{"api_key_openai": "abcdefghijkl"}', True),
        ("config.json", '{"appKey": "abcdefghijkl"}', True),
        ("config.ini", "[baidu]\nkey = 0123456789abcdef", True),
        ("config.json", '{"proxy": "http://me:word@host:80/"}', True),
        ("config.txt", "AIzaSyA1234567890abcdefghijklmnopqrstuv", True),
        ("config.ini", "password = hunter2".encode("utf-16").decode(errors="replace"), True),
        ("config.txt", "-----BEGIN RSA PRIVATE KEY-----", True),
        ("config.json", '{"tokenizer_name": "openai/clip-vit-large"}', False),
        ("config.json", '{"password": null, "pwd": ""}', False),
        ("config.json", '{"url": "http://127.0.0.1:8188/a:b@c"}', False),
        ("keymap.json", '{"key": "ControlShiftBackspace"}', False),
        ("styles.txt", "a torch bearer carrying the secret: key to a basic composition", False),
        ("tokenizer.json", '{"tokens": 3}', False),
        ("hotkeys.json", '{"ctrl": "copy"}', False),
        ("monkey.csv", "a,b", False),
        ("environment.yaml", "name: x", False),
    ],
)
def test_what_looks_like_a_secret_is_one(path: str, text: str, expected: bool) -> None:
    assert may_be_secret(path, text) is expected


def test_a_long_text_takes_no_longer_for_each_of_its_characters() -> None:
    """64 KiB of base64 took three minutes."""
    for text in (
        "a",
        "token",
        "token ",
        "token:",
        "key=",
        "key='a-",
        "://a:",
        "eyJ",
        'password="',
        "authorization: a ",
    ):
        may_be_secret("a.json", (text * MAX_SETTINGS)[:MAX_SETTINGS])
